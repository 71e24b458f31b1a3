// Key policies: GetKeyPolicy PutKeyPolicy ListKeyPolicies. A key has one, named "default".
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"
#include "kmsd/policy_check.h"
#include "kmsd/resolve.h"

struct policy_params {
    struct kms_params common;
    struct span name, policy;
    struct opt_bool bypass;
};

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

static const struct param get_rows[] = {ROW_KEY_ID, ROW_NAME, {NULL}};
static const struct param put_rows[] = {
    ROW_KEY_ID,
    ROW_NAME,
    {.name = "Policy",
     .type = PARAM_STRING,
     .offset = PARAM_AT(policy_params, policy),
     .required = true,
     .min = 1,
     .max = 131072,
     .pattern = POLICY_TEXT_PATTERN,
     .matches = policy_text_matches},
    {.name = "BypassPolicyLockoutSafetyCheck", .type = PARAM_BOOL, .offset = PARAM_AT(policy_params, bypass)},
    {NULL},
};
static const struct param list_rows[] = {ROW_KEY_ID, ROW_LIMIT(KMS_LIST_MAX), ROW_MARKER, {NULL}};

static const struct fault *check_name(struct call *call)
{
    const struct policy_params *p = call->params;
    if (!p->name.p || span_is(p->name, "default"))
        return NULL;
    return call_fault(call, &fault_not_found, "No such policy exists");
}

static const struct fault *get_key_policy(struct call *call)
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

static const struct fault *put_key_policy(struct call *call)
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

static const struct fault *list_key_policies(struct call *call)
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

static const struct kms_op any_ext = {.grant = GRANT_NONE, .rule = RULE_ALWAYS};

const struct op op_policy_rows[] = {
    {.name = "GetKeyPolicy",
     .action = "kms:GetKeyPolicy",
     .params = get_rows,
     .params_size = sizeof(struct policy_params),
     .resolve = resolve_key,
     .invoke = get_key_policy,
     .read_only = true,
     .ext = &any_ext},
    {.name = "PutKeyPolicy",
     .action = "kms:PutKeyPolicy",
     .params = put_rows,
     .params_size = sizeof(struct policy_params),
     .resolve = resolve_key,
     .invoke = put_key_policy,
     .changes = true,
     .trail_response = trail_key_arn,
     .ext = &any_ext},
    {.name = "ListKeyPolicies",
     .action = "kms:ListKeyPolicies",
     .params = list_rows,
     .params_size = sizeof(struct list_params),
     .resolve = resolve_key,
     .invoke = list_key_policies,
     .read_only = true,
     .ext = &any_ext},
    {NULL},
};
