// RetireGrant: by token, or by key and grant id; allowed by who the caller is to the grant, not by the key policy.
// Source: AWS KMS API reference, RetireGrant; Developer Guide, "Retiring and revoking grants".
#include "kmsd/op_retire_grant.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/permit.h"
#include "kmsd/principal_form.h"
#include "kmsd/resolve.h"

const struct param retire_grant_rows[] = {
    {.name = "GrantToken",
     .type = PARAM_STRING,
     .offset = PARAM_AT(retire_params, token),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = 8192},
    ROW_OPTIONAL_KEY_ID,
    {.name = "GrantId", .type = PARAM_STRING, .offset = PARAM_AT(retire_params, grant_id), .min = 1, .max = 128},
    ROW_DRY_RUN,
    {NULL},
};

static void found(struct call *call, struct grant *g)
{
    struct retire_params *p = call->params;
    call->subject = g->key;
    call->subject2 = g;
    memcpy(p->id_hex, g->id_hex, sizeof p->id_hex);
    resolve_add_key(call, g->key);
}

static const struct fault *by_token(struct call *call, const struct retire_params *p)
{
    const struct keyring *k = kmsd_of(call)->keyring;
    unsigned char id[GRANT_ID_SIZE];
    if (!grant_token_read(keyring_root(k), p->token, id))
        return &fault_invalid_grant_token;
    struct grant *g = keyring_grant(k, id);
    if (!g || strcmp(g->key->region, call->region) != 0)
        return &fault_invalid_grant_token;
    found(call, g);
    return NULL;
}

static const struct fault *by_id(struct call *call, const struct retire_params *p)
{
    unsigned char id[GRANT_ID_SIZE];
    struct key *key = NULL;
    const struct fault *fault = grant_id_read(p->grant_id, id);
    if (!fault)
        fault = resolve_key_text(call, p->common.key_id, &key);
    if (fault)
        return fault;
    struct grant *g = grant_set_find(&key->grants, id);
    if (g) {
        found(call, g);
        return NULL;
    }
    resolve_add_key(call, key);
    // Another account's keys are not for this caller to know.
    if (strcmp(key->account, call->account) != 0)
        return permit_unknown(call, key->arn);
    return call_fault(call, &fault_not_found, "Grant ID %.*s not found", (int)p->grant_id.n, p->grant_id.p);
}

const struct fault *retire_grant_resolve(struct call *call)
{
    const struct retire_params *p = call->params;
    if (p->token.p)
        return by_token(call, p);
    if (!p->common.key_id.p || !p->grant_id.p)
        return call_fault(call, &fault_validation,
                          "You must specify either a grant token or both a key ID and a grant ID.");
    return by_id(call, p);
}

static bool is_one_of(const char *principal, const char *const *names, size_t n)
{
    for (size_t i = 0; principal && i < n; i++)
        if (strcmp(principal, names[i]) == 0)
            return true;
    return false;
}

// By being the retiring principal, the grantee of a grant that says so, or the root of the account that made it.
static bool is_retirer(const struct authz_question *q, const struct grant *g)
{
    const char *names[AUTHZ_NAMES_MAX];
    size_t n = authz_names(q, names);
    if (is_one_of(g->retiring, names, n))
        return true;
    if ((g->operations & GRANT_BIT(GRANT_RETIRE_GRANT)) && is_one_of(g->grantee, names, n))
        return true;
    return q->caller->type == PRINCIPAL_ROOT && strcmp(q->account, g->issuing_account) == 0;
}

// Of the account that made the grant, or that is the retiring principal: its identity policies may delegate.
static bool of_retiring_account(const struct authz_question *q, const struct grant *g)
{
    if (q->caller->type == PRINCIPAL_SERVICE)
        return false;
    return strcmp(q->account, g->issuing_account) == 0 || (g->retiring && authz_is_account_of(g->retiring, q->account));
}

static const struct fault *retired_by(struct call *call, const struct decision *d, const struct grant *g)
{
    call->decision = *d;
    memcpy(call->decision.grant_id, g->id_hex, sizeof call->decision.grant_id);
    if (d->sid)
        call->decision.sid = arena_strdup(&call->arena, d->sid);
    return NULL;
}

const struct fault *retire_grant_authorize(struct call *call)
{
    const struct grant *g = call->subject2;
    struct authz_question q;
    struct decision by_policy, by_identity;
    const struct fault *fault = permit_question(call, g->key, &q);
    if (fault)
        return fault;
    // Policies cannot give this right by themselves, but they can take it.
    authz_decide(&q, &by_policy);
    if (by_policy.reason == DECISION_DENY_RESOURCE_POLICY || by_policy.reason == DECISION_DENY_IDENTITY_POLICY)
        return permit_deny(call, &by_policy, q.action, q.resource);
    if (is_retirer(&q, g))
        return retired_by(call, &(struct decision){.reason = DECISION_RETIRER}, g);
    if (authz_identity_allows(&q, &by_identity) && of_retiring_account(&q, g))
        return retired_by(call, &by_identity, g);
    if (decision_allows(&by_identity))
        by_identity = (struct decision){.reason = DECISION_NO_RESOURCE_POLICY};
    return permit_deny(call, &by_identity, q.action, q.resource);
}

const struct fault *retire_grant(struct call *call)
{
    struct grant *g = call->subject2;
    const struct fault *fault = permit_dry_run(call);
    if (fault)
        return fault;
    changes_add(kmsd_of(call)->changes, CHANGE_GRANT_RETIRED, g->key->arn, g->id_hex);
    keyring_remove_grant(kmsd_of(call)->keyring, g);
    call->subject2 = NULL;
    call->needs_commit = true;
    return NULL;
}

bool retire_grant_trail(struct json_write *w, struct call *call)
{
    const struct retire_params *p = call->params;
    if (!p || !p->id_hex[0])
        return false;
    if (w) {
        json_obj_begin(w);
        json_kcstr(w, "grantId", p->id_hex);
        json_obj_end(w);
    }
    return true;
}
