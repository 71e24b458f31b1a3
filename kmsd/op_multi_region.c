// Multi-Region keys: ReplicateKey UpdatePrimaryRegion. Both change keys of two Regions, at once and in one commit; that
// it takes a moment on AWS shows in the keys' states, which multi_region_job.c ends. Source: AWS KMS API reference.
#include "kmsd/op_multi_region.h"

#include <string.h>

#include "common/auth/region.h"
#include "kmsd/arn.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/multi_region_job.h"
#include "kmsd/permit.h"
#include "kmsd/policy_check.h"
#include "kmsd/quota.h"
#include "kmsd/resolve.h"
#include "kmsd/tags.h"

// ^([a-z]+-){2,3}\d+$
static bool region_matches(struct span text)
{
    size_t at = 0, words = 0;
    for (;; at++, words++) {
        size_t start = at;
        while (at < text.n && text.p[at] >= 'a' && text.p[at] <= 'z')
            at++;
        if (at == start || at == text.n || text.p[at] != '-')
            break;
    }
    size_t digits = at;
    while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9')
        at++;
    return (words == 2 || words == 3) && at > digits && at == text.n;
}

#define ROW_REGION(name_, offset_)                                                                                     \
    {                                                                                                                  \
        .name = (name_), .type = PARAM_STRING, .offset = (offset_), .required = true, .min = 1, .max = 32,             \
        .pattern = "^([a-z]+-){2,3}\\d+$", .matches = region_matches                                                   \
    }

// Only a primary key can be replicated or moved. That the key is no such one is told before its state.
static const struct fault *check_primary(struct call *call, const struct key *key)
{
    if (key->multi_region == MULTI_REGION_PRIMARY)
        return NULL;
    return call_fault(call, &fault_unsupported, "%s is not a multi-region primary key.", key->arn);
}

static const struct fault *ask_about(struct call *call, const struct key *key)
{
    struct authz_question q;
    const struct fault *fault = permit_question(call, key, &q);
    return fault ? fault : permit_ask(call, &q, false);
}

// The related key's ARN in another Region, whether it is there or not.
static char *arn_in(struct call *call, const struct key *key, struct span region)
{
    char arn[KMS_ARN_SIZE], resource[64] = "key/";
    memcpy(resource + 4, key->id, strlen(key->id) + 1);
    if (!arn_write(arn, region, key->account, span_of(resource)))
        abort();
    return arena_strdup(&call->arena, arn);
}

// ---- ReplicateKey ----

#define AT(member_) PARAM_AT(replicate_params, member_)

const struct param replicate_key_rows[] = {
    ROW_KEY_ID,
    ROW_REGION("ReplicaRegion", AT(region)),
    {.name = "Policy", .offset = AT(policy), POLICY_FORM},
    {.name = "BypassPolicyLockoutSafetyCheck", .type = PARAM_BOOL, .offset = AT(bypass), .trail_default = "false"},
    {.name = "Description", .type = PARAM_STRING, .offset = AT(description), .max = 8192, .trail_default = ""},
    {.name = "Tags",
     .type = PARAM_OBJECTS,
     .offset = AT(tags),
     .members = tag_rows,
     .members_size = sizeof(struct tag_param)},
    {NULL},
};

// A replica lives in another Region of the same partition.
static const struct fault *check_region(struct call *call, struct span region)
{
    const char *partition = region_partition(span_of(call->region));
    if (region_exists(region) && strcmp(region_partition(region), partition) == 0)
        return NULL;
    return call_fault(call, &fault_unsupported, "ReplicaRegion %.*s is not a Region of the partition %s.",
                      (int)region.n, region.p, partition);
}

const struct fault *replicate_key_resolve(struct call *call)
{
    const struct replicate_params *p = call->params;
    const struct fault *fault = check_region(call, p->region);
    if (!fault)
        fault = tags_check(call, NULL, &p->tags);
    return fault ? fault : resolve_key(call);
}

const struct fault *replicate_key_authorize(struct call *call)
{
    const struct replicate_params *p = call->params;
    const struct key *key = call->subject;
    const struct fault *fault = ask_about(call, key);
    if (!fault)
        fault = permit_new_key(call, p->tags.n > 0);
    if (!fault)
        fault = check_primary(call, key);
    return fault ? fault : permit_state(call, key);
}

// The replica Region's record is that of a key which was created there.
static void write_create_request(struct json_write *w, struct call *call)
{
    const struct replicate_params *p = call->params;
    const struct key *key = p->replica;
    json_obj_begin(w);
    if (p->policy.p)
        json_kstr(w, "policy", p->policy);
    json_kcstr(w, "description", key->description);
    json_kcstr(w, "origin", key_origin_names[key->origin]);
    json_kbool(w, "bypassPolicyLockoutSafetyCheck", p->bypass.v);
    json_kcstr(w, "customerMasterKeySpec", key->spec->name);
    json_kcstr(w, "keySpec", key->spec->name);
    json_kcstr(w, "keyUsage", key_usage_names[key->usage]);
    json_kbool(w, "multiRegion", true);
    if (p->tags.set) {
        json_key(w, "tags");
        tags_write(key, true, w);
    }
    json_obj_end(w);
}

static void write_create_response(struct json_write *w, struct call *call)
{
    const struct replicate_params *p = call->params;
    json_obj_begin(w);
    json_key(w, "keyMetadata");
    key_write_trail_metadata(p->replica, w);
    json_obj_end(w);
}

static void tell_elsewhere(struct call *call, const struct key *key, const struct call_elsewhere *what)
{
    struct call_elsewhere *at = arena_alloc(&call->arena, sizeof *at);
    *at = *what;
    at->region = key->region;
    at->invoked_by = "kms.amazonaws.com";
    call->elsewhere = at;
}

static void reply_replica(struct call *call, const struct key *replica)
{
    struct json_write *w = &call->out;
    json_obj_begin(w);
    json_key(w, "ReplicaKeyMetadata");
    key_write_metadata(replica, w);
    json_kstr(w, "ReplicaPolicy", replica->policy->text);
    json_key(w, "ReplicaTags");
    tags_write(replica, false, w);
    json_obj_end(w);
}

const struct fault *replicate_key(struct call *call)
{
    struct replicate_params *p = call->params;
    struct keyring *k = kmsd_of(call)->keyring;
    const struct key *primary = call->subject;
    const struct key_policy *policy = NULL;
    if (key_family_member(primary->family, p->region))
        return call_fault(call, &fault_already_exists, "A key with the ARN %s already exists",
                          arn_in(call, primary, p->region));
    const char *region = arena_strndup(&call->arena, p->region.p, p->region.n);
    const struct fault *fault = quota_key(call, region);
    if (!fault)
        fault = policy_for_new_key(call, p->policy, p->bypass.v, &policy);
    if (fault)
        return fault;
    struct key *replica = keyring_create_replica(k, primary, region, policy, call->time_ns);
    key_set_description(replica, p->description);
    tags_apply(replica, &p->tags);
    replica->settles_ns = clock_after(call->time_ns, MULTI_REGION_SETTLE_NS);
    keyring_save_key(k, replica);
    scheduler_wake(call->daemon->scheduler);
    call->needs_commit = true;
    p->replica = replica;
    tell_elsewhere(call, replica,
                   &(struct call_elsewhere){
                       .name = "CreateKey",
                       .write_request = write_create_request,
                       .write_response = write_create_response,
                       .resource = {replica->account, "AWS::KMS::Key", replica->arn},
                   });
    reply_replica(call, replica);
    return NULL;
}

void replicate_key_trail(struct json_write *w, struct call *call)
{
    const struct replicate_params *p = call->params;
    json_obj_begin(w);
    json_key(w, "replicaKeyMetadata");
    key_write_trail_metadata(p->replica, w);
    json_kstr(w, "replicaPolicy", p->replica->policy->text);
    if (p->replica->tags_n > 0) {
        json_key(w, "replicaTags");
        tags_write(p->replica, true, w);
    }
    json_obj_end(w);
}

// ---- UpdatePrimaryRegion ----

const struct param update_primary_region_rows[] = {
    ROW_KEY_ID,
    ROW_REGION("PrimaryRegion", PARAM_AT(primary_region_params, region)),
    {NULL},
};

// The caller needs the right to both keys, and both must work: the other Region is asked when this one agrees.
static const struct fault *authorize_replica(struct call *call, const struct key *primary)
{
    const struct primary_region_params *p = call->params;
    const struct key *replica = key_family_member(primary->family, p->region);
    if (!replica)
        return call_fault(call, &fault_not_found, "Key '%s' does not exist", arn_in(call, primary, p->region));
    if (replica == primary)
        return call_fault(call, &fault_unsupported, "%s is not a multi-region replica key.", primary->arn);
    const struct fault *fault = ask_about(call, replica);
    return fault ? fault : permit_state(call, replica);
}

const struct fault *update_primary_region_authorize(struct call *call)
{
    const struct key *key = call->subject;
    const struct fault *fault = ask_about(call, key);
    if (!fault)
        fault = check_primary(call, key);
    if (!fault)
        fault = permit_state(call, key);
    return fault ? fault : authorize_replica(call, key);
}

static void begin_update(struct key *key, int64_t now_ns)
{
    key->state = KEY_UPDATING;
    key->settles_ns = clock_after(now_ns, MULTI_REGION_SETTLE_NS);
}

static void write_update_request(struct json_write *w, struct call *call)
{
    const struct key *replica = call->subject2;
    json_obj_begin(w);
    json_kcstr(w, "keyId", replica->arn);
    json_kcstr(w, "primaryRegion", replica->region);
    json_obj_end(w);
}

const struct fault *update_primary_region(struct call *call)
{
    const struct primary_region_params *p = call->params;
    struct key *before = call->subject;
    struct key *after = key_family_member(before->family, p->region);
    begin_update(before, call->time_ns);
    begin_update(after, call->time_ns);
    keyring_move_primary(kmsd_of(call)->keyring, after);
    scheduler_wake(call->daemon->scheduler);
    call->needs_commit = true;
    call->subject2 = after;
    tell_elsewhere(call, after,
                   &(struct call_elsewhere){
                       .name = call->op->name,
                       .write_request = write_update_request,
                       .write_response = trail_key_arn,
                   });
    return NULL;
}
