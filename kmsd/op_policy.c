// Key policies: GetKeyPolicy PutKeyPolicy ListKeyPolicies. A key has one, named "default".
#include "kmsd/op_policy.h"

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"
#include "kmsd/policy_check.h"
#include "kmsd/resolve.h"

static bool name_matches(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return name.n > 0;
}

#define ROW_NAME                                                                                                       \
    {                                                                                                                  \
        .name = "PolicyName", .type = PARAM_STRING, .offset = PARAM_AT(policy_params, name), .min = 1, .max = 128,     \
        .pattern = "[\\w]+", .matches = name_matches                                                                   \
    }

const struct param get_key_policy_rows[] = {ROW_KEY_ID, ROW_NAME, {NULL}};
const struct param put_key_policy_rows[] = {
    ROW_KEY_ID,
    ROW_NAME,
    {.name = "Policy", .offset = PARAM_AT(policy_params, policy), .required = true, POLICY_FORM},
    {.name = "BypassPolicyLockoutSafetyCheck",
     .type = PARAM_BOOL,
     .offset = PARAM_AT(policy_params, bypass),
     .trail_default = "false"},
    {NULL},
};
const struct param list_key_policies_rows[] = {ROW_KEY_ID, ROW_LIMIT(KMS_LIST_MAX), ROW_MARKER, {NULL}};

static const struct fault *check_name(struct call *call)
{
    const struct policy_params *p = call->params;
    if (!p->name.p || span_is(p->name, "default"))
        return NULL;
    return call_fault(call, &fault_not_found, "No such policy exists");
}

const struct fault *get_key_policy(struct call *call)
{
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    const struct fault *fault = check_name(call);
    if (fault)
        return fault;
    json_obj_begin(w);
    json_kstr(w, "Policy", key->policy->text);
    json_kcstr(w, "PolicyName", "default");
    json_obj_end(w);
    return NULL;
}

const struct fault *put_key_policy(struct call *call)
{
    const struct policy_params *p = call->params;
    struct key *key = call->subject;
    const struct key_policy *policy = NULL;
    const struct fault *fault = check_name(call);
    if (!fault)
        fault = policy_check(call, p->policy, p->bypass.v, key->arn, &policy);
    if (fault)
        return fault;
    keyring_set_policy(kmsd_of(call)->keyring, key, policy);
    changes_add(kmsd_of(call)->changes, CHANGE_KEY_POLICY, key->arn, NULL);
    call->needs_commit = true;
    return NULL;
}

const struct fault *list_key_policies(struct call *call)
{
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct list_page page;
    const struct fault *fault = list_begin(call, key->arn, 100, KMS_LIST_MAX, &page);
    if (fault)
        return fault;
    json_obj_begin(w);
    json_key(w, "PolicyNames");
    json_arr_begin(w);
    json_cstr(w, "default");
    json_arr_end(w);
    list_end(call, &page, false, (struct span){NULL, 0});
    json_obj_end(w);
    return NULL;
}
