// CreateKey: which key is asked for and whether kmsd has it, the key policy, the tags, the key. Called through its row
// in op_key.c.
#include "kmsd/op_create_key.h"

#include <openssl/crypto.h>

#include "common/auth/region.h"
#include "common/base/json_read.h"
#include "kmsd/arn.h"
#include "kmsd/create_in_store.h"
#include "kmsd/faults.h"
#include "kmsd/key_maker.h"
#include "kmsd/key_type.h"
#include "kmsd/kmsd.h"
#include "kmsd/permit.h"
#include "kmsd/policy_check.h"
#include "kmsd/quota.h"
#include "kmsd/resolve.h"
#include "kmsd/tags.h"

static const char *const later_specs[] = {"SM2", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ECC_NIST_EDWARDS25519", NULL};
static const char *const later_usages[] = {"KEY_AGREEMENT", NULL};
static const char *const origins[] = {"EXTERNAL", "AWS_CLOUDHSM", "AWS_KMS", "EXTERNAL_KEY_STORE", NULL};

static bool xks_key_id_matches(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
        if (!ok)
            return false;
    }
    return text.n > 0;
}

#define AT(member_) PARAM_AT(create_key_params, member_)

const struct param create_key_rows[] = {
    {.name = "Policy", .offset = AT(policy), POLICY_FORM},
    {.name = "Description", .type = PARAM_STRING, .offset = AT(description), .max = 8192},
    {.name = "KeyUsage",
     .type = PARAM_STRING,
     .offset = AT(key_usage),
     .choices = key_usage_choices,
     .also = later_usages},
    {.name = "CustomerMasterKeySpec",
     .type = PARAM_STRING,
     .offset = AT(customer_master_key_spec),
     .choices = key_spec_choices,
     .also = later_specs},
    {.name = "KeySpec", .type = PARAM_STRING, .offset = AT(key_spec), .choices = key_spec_choices, .also = later_specs},
    {.name = "Origin", .type = PARAM_STRING, .offset = AT(origin), .choices = origins},
    {.name = "CustomKeyStoreId", .type = PARAM_STRING, .offset = AT(custom_key_store_id), .min = 1, .max = 64},
    {.name = "BypassPolicyLockoutSafetyCheck", .type = PARAM_BOOL, .offset = AT(bypass)},
    {.name = "Tags",
     .type = PARAM_OBJECTS,
     .offset = AT(tags),
     .members = tag_rows,
     .members_size = sizeof(struct tag_param)},
    {.name = "MultiRegion", .type = PARAM_BOOL, .offset = AT(multi_region)},
    {.name = "XksKeyId",
     .type = PARAM_STRING,
     .offset = AT(xks_key_id),
     .min = 1,
     .max = 128,
     .pattern = "^[a-zA-Z0-9-_.]+$",
     .matches = xks_key_id_matches},
    {NULL},
};

static struct span spec_name(const struct create_key_params *p)
{
    if (p->key_spec.p)
        return p->key_spec;
    return p->customer_master_key_spec.p ? p->customer_master_key_spec : SPAN("SYMMETRIC_DEFAULT");
}

static const struct fault *check_spec(struct call *call, struct create_key_params *p)
{
    if (p->key_spec.p && p->customer_master_key_spec.p && !span_eq(p->key_spec, p->customer_master_key_spec))
        return call_fault(call, &fault_validation,
                          "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                          "CustomerMasterKeySpec is deprecated.");
    const struct key_spec *spec = key_spec_find(spec_name(p));
    enum key_usage usage = USAGE_ENCRYPT_DECRYPT;
    if (!spec)
        return &fault_internal;
    if (!key_spec_in_region(spec, call->region))
        return call_fault(call, &fault_unsupported, "KeySpec %s is not supported in this Region", spec->name);
    if (p->key_usage.p)
        key_usage_find(p->key_usage, &usage);
    else if (!spec->symmetric)
        return call_fault(call, &fault_validation,
                          "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.");
    if (!(spec->usages & (1u << usage)))
        return call_fault(call, &fault_validation, "KeyUsage %s is not compatible with KeySpec %s",
                          key_usage_names[usage], spec->name);
    if (spec->type->available && !spec->type->available(spec))
        return call_fault(call, &fault_unsupported, "KeySpec %s is not supported by %s, which kmsd is linked with.",
                          spec->name, OpenSSL_version(OPENSSL_VERSION));
    p->spec = spec;
    p->usage = usage;
    return NULL;
}

static const struct fault *check_origin(struct call *call, const struct create_key_params *p)
{
    return create_in_store_check(call, p);
}

const struct fault *create_key_check(struct call *call)
{
    struct create_key_params *p = call->params;
    const struct fault *fault = check_spec(call, p);
    if (!fault)
        fault = check_origin(call, p);
    return fault ? fault : tags_check(call, NULL, &p->tags);
}

const struct fault *create_key_authorize(struct call *call)
{
    const struct create_key_params *p = call->params;
    return permit_new_key(call, p->tags.n > 0);
}

const struct fault *create_key(struct call *call)
{
    const struct create_key_params *p = call->params;
    struct keyring *k = kmsd_of(call)->keyring;
    struct json_write *w = &call->out;
    struct key_draft draft = {
        .account = call->account,
        .region = call->region,
        .spec = p->spec,
        .usage = p->usage,
        .multi_region = p->multi_region.v ? MULTI_REGION_PRIMARY : SINGLE_REGION,
        .now_ns = call->time_ns,
    };
    const struct fault *fault = quota_key(call, call->region);
    if (!fault)
        fault = create_in_store(call, p, &draft);
    if (!fault)
        fault = policy_for_new_key(call, p->policy, p->bypass.v, &draft.policy);
    if (fault)
        return fault;
    if (p->origin.p && span_is(p->origin, "EXTERNAL"))
        draft.origin = ORIGIN_EXTERNAL;
    else
        fault = key_maker_make(kmsd_of(call)->key_maker, call, p->spec, &draft.material);
    if (fault) {
        policy_pool_put(keyring_policies(k), draft.policy);
        return fault;
    }
    struct key *key = keyring_create_key(k, &draft);
    key_set_description(key, p->description);
    tags_apply(key, &p->tags);
    keyring_save_key(k, key);
    call->subject = key;
    call->needs_commit = true;
    resolve_add_key(call, key);
    json_obj_begin(w);
    json_key(w, "KeyMetadata");
    key_write_metadata(key, w);
    json_obj_end(w);
    return NULL;
}

// ---- trail: the request with its defaults ----

static void shown(struct json_write *w, const char *name, const json_t *sent, const char *otherwise)
{
    json_key(w, name);
    if (json_is_string(sent))
        json_value(w, sent);
    else
        json_cstr(w, otherwise);
}

static void trail_tags(struct json_write *w, const json_t *tags)
{
    json_key(w, "tags");
    json_arr_begin(w);
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        json_obj_begin(w);
        json_kstr(w, "tagKey", json_span(json_object_get(tag, "TagKey")));
        json_kstr(w, "tagValue", json_span(json_object_get(tag, "TagValue")));
        json_obj_end(w);
    }
    json_arr_end(w);
}

void create_key_trail_request(struct json_write *w, struct call *call)
{
    const json_t *j = call->json;
    const json_t *spec = json_object_get(j, "KeySpec");
    if (!json_is_string(spec))
        spec = json_object_get(j, "CustomerMasterKeySpec");
    json_obj_begin(w);
    if (json_is_string(json_object_get(j, "Policy")))
        json_kstr(w, "policy", json_span(json_object_get(j, "Policy")));
    shown(w, "description", json_object_get(j, "Description"), "");
    shown(w, "origin", json_object_get(j, "Origin"), "AWS_KMS");
    json_kbool(w, "bypassPolicyLockoutSafetyCheck", json_is_true(json_object_get(j, "BypassPolicyLockoutSafetyCheck")));
    shown(w, "customerMasterKeySpec", spec, "SYMMETRIC_DEFAULT");
    shown(w, "keySpec", spec, "SYMMETRIC_DEFAULT");
    shown(w, "keyUsage", json_object_get(j, "KeyUsage"), "ENCRYPT_DECRYPT");
    if (json_is_boolean(json_object_get(j, "MultiRegion")))
        json_kbool(w, "multiRegion", json_is_true(json_object_get(j, "MultiRegion")));
    if (json_is_string(json_object_get(j, "CustomKeyStoreId")))
        json_kstr(w, "customKeyStoreId", json_span(json_object_get(j, "CustomKeyStoreId")));
    if (json_is_string(json_object_get(j, "XksKeyId")))
        json_kstr(w, "xksKeyId", json_span(json_object_get(j, "XksKeyId")));
    if (json_is_array(json_object_get(j, "Tags")))
        trail_tags(w, json_object_get(j, "Tags"));
    json_obj_end(w);
}

void create_key_trail_response(struct json_write *w, struct call *call)
{
    json_obj_begin(w);
    json_key(w, "keyMetadata");
    key_write_trail_metadata(call->subject, w);
    json_obj_end(w);
}
