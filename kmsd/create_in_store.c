// Keys in custom key stores are symmetric, in one Region, and made while the store is connected. Source: AWS KMS API
// reference, CreateKey; requirements of external keys: Developer Guide, "Troubleshooting external key stores".
#include "kmsd/create_in_store.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/key_spec.h"
#include "kmsd/kmsd.h"
#include "kmsd/op_key_store.h"
#include "kmsd/xks_wait.h"

#define HSMS_NEEDED 2

const struct fault *create_in_store_check(struct call *call, const struct create_key_params *p)
{
    bool cluster = span_is(p->origin, "AWS_CLOUDHSM"), external = span_is(p->origin, "EXTERNAL_KEY_STORE");
    if (p->custom_key_store_id.p && !cluster && !external)
        return call_fault(call, &fault_validation,
                          "CustomKeyStoreId is valid only with the Origin AWS_CLOUDHSM or EXTERNAL_KEY_STORE.");
    if (p->xks_key_id.p && !external)
        return call_fault(call, &fault_validation, "XksKeyId is valid only with the Origin EXTERNAL_KEY_STORE.");
    if (!cluster && !external)
        return NULL;
    if (!p->custom_key_store_id.p)
        return call_fault(call, &fault_validation, "CustomKeyStoreId is required with the Origin %.*s.",
                          (int)p->origin.n, p->origin.p);
    if (external && !p->xks_key_id.p)
        return call_fault(call, &fault_validation, "XksKeyId is required with the Origin EXTERNAL_KEY_STORE.");
    if (!p->spec->symmetric)
        return call_fault(call, &fault_unsupported, "KeySpec %s is not supported in custom key stores.", p->spec->name);
    if (p->multi_region.v)
        return call_fault(call, &fault_unsupported, "Multi-Region keys are not supported in custom key stores.");
    return NULL;
}

static const struct fault *check_cluster(struct call *call, const struct key_store *s)
{
    struct span id = span_of(s->cluster_id);
    return key_store_cluster_fault(call, id,
                                   cloudhsm_check(kmsd_of(call)->cloudhsm, id, span_of(s->trust_anchor), HSMS_NEEDED));
}

static const struct fault *check_external_key(struct call *call, const struct xks_reply *key)
{
    if (strcmp(key->key_spec, "AES_256") != 0)
        return call_fault(call, &fault_xks_key_configuration,
                          "The key spec of the external key must be AES_256. The key spec of specified external key is "
                          "%s.",
                          key->key_spec);
    if (strcmp(key->key_status, "ENABLED") != 0)
        return call_fault(call, &fault_xks_key_configuration,
                          "The status of the external key must be ENABLED. The status of specified external key is %s.",
                          key->key_status);
    if (!key->encrypts || !key->decrypts)
        return call_fault(
            call, &fault_xks_key_configuration,
            "The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified "
            "external key is %s.",
            key->key_usage);
    return NULL;
}

static const struct fault *ask_for_key(struct call *call, const struct key_store *s, struct span xks_key_id)
{
    const struct xks_reply *reply;
    if (key_store_external_key(s, xks_key_id))
        return call_fault(call, &fault_xks_key_in_use,
                          "External key %.*s is associated with another KMS key of custom key store %s.",
                          (int)xks_key_id.n, xks_key_id.p, s->id);
    struct xks_request q = {.api = XKS_METADATA, .xks_key_id = arena_strndup(&call->arena, xks_key_id.p, xks_key_id.n)};
    const struct fault *fault = xks_wait(call, XKS_FIRST, XKS_CREATING, s, &q, &reply);
    return fault ? fault : check_external_key(call, reply);
}

const struct fault *create_in_store(struct call *call, const struct create_key_params *p, struct key_draft *draft)
{
    struct key_store *s;
    if (!p->custom_key_store_id.p)
        return NULL;
    const struct fault *fault = key_store_find(call, p->custom_key_store_id, &s);
    if (fault)
        return fault;
    if (!span_is(p->origin, key_store_type_names[s->type]))
        return call_fault(call, &fault_validation, "The Origin of keys in custom key store %s is %s.", s->id,
                          key_store_type_names[s->type]);
    draft->key_store = s;
    draft->xks_key_id = p->xks_key_id;
    draft->origin = s->type == KEY_STORE_CLOUDHSM ? ORIGIN_AWS_CLOUDHSM : ORIGIN_EXTERNAL_KEY_STORE;
    fault = key_store_connected(call, s);
    if (fault)
        return fault;
    return s->type == KEY_STORE_CLOUDHSM ? check_cluster(call, s) : ask_for_key(call, s, p->xks_key_id);
}
