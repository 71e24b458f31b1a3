// The decision about a call, for permit.c. Retiring grants has rules of its own (op_grant.c).
#include "kmsd/authz.h"

#include <stdio.h>
#include <string.h>

#include "common/auth/region.h"
#include "kmsd/arn.h"

#define CONTEXT_PREFIX "kms:EncryptionContext:"

static bool give(struct span *value, const char *text)
{
    *value = span_of(text);
    return text != NULL;
}

// The condition keys that a policy may ask for. Names do not know case; those behind kms:EncryptionContext: neither.
static bool lookup(void *arg, struct span key, struct span *value)
{
    const struct authz_question *q = arg;
    size_t prefix = sizeof CONTEXT_PREFIX - 1;
    if (span_ieq(key, SPAN("kms:CallerAccount")))
        return give(value, q->account);
    if (span_ieq(key, SPAN("kms:ViaService")))
        return give(value, q->on_behalf ? q->via_service : NULL);
    if (span_ieq(key, SPAN("kms:GrantIsForAWSResource")))
        return give(value, !q->grant_management ? NULL : q->via_service ? "true" : "false");
    if (q->attestation && attestation_condition(q->attestation, key, value))
        return true;
    if (key.n <= prefix || !span_ieq((struct span){key.p, prefix}, SPAN(CONTEXT_PREFIX)) || !q->context)
        return false;
    struct span name = {key.p + prefix, key.n - prefix};
    for (size_t i = 0; i < q->context->n; i++) {
        if (span_ieq(q->context->v[i].key, name)) {
            *value = q->context->v[i].value;
            return true;
        }
    }
    return false;
}

static struct policy_request request_of(const struct authz_question *q)
{
    return (struct policy_request){
        .caller = q->caller,
        .action = q->action,
        .resource = q->resource,
        .lookup = lookup,
        .arg = (void *)(uintptr_t)q,
    };
}

static void decide(struct decision *d, enum decision_reason reason, size_t policy, const struct policy_match *m)
{
    *d = (struct decision){.reason = reason, .policy = policy};
    if (m) {
        d->statement = m->statement;
        d->sid = m->sid;
    }
}

bool authz_identity_allows(const struct authz_question *q, struct decision *d)
{
    struct policy_request r = request_of(q);
    bool allowed = q->caller->full_rights;
    decide(d, allowed ? DECISION_FULL_RIGHTS : DECISION_NO_IDENTITY_POLICY, 0, NULL);
    for (size_t i = 0; i < q->caller->policies_n; i++) {
        struct policy_match m = policy_evaluate(q->caller->policies[i], &r);
        if (m.effect == POLICY_DENY) {
            decide(d, DECISION_DENY_IDENTITY_POLICY, i, &m);
            return false;
        }
        if (m.effect == POLICY_ALLOW && !allowed) {
            decide(d, DECISION_IDENTITY_POLICY, i, &m);
            allowed = true;
        }
    }
    return allowed;
}

size_t authz_names(const struct authz_question *q, const char *names[AUTHZ_NAMES_MAX])
{
    size_t n = 0;
    if (q->caller->type == PRINCIPAL_SERVICE) {
        names[n++] = q->via_service;
        names[n++] = q->service_principal;
        return n;
    }
    names[n++] = q->caller->arn;
    if (q->caller->type == PRINCIPAL_ROLE_SESSION)
        names[n++] = q->caller->role_arn;
    return n;
}

bool authz_is_account_of(const char *principal, const char *account)
{
    struct arn arn;
    return arn_parse(span_of(principal), &arn) && span_is(arn.service, "iam") && span_is(arn.account, account) &&
           span_is(arn.resource, "root");
}

// ---- grants ----

struct grant_search {
    const struct authz_question *q;
    bool by_token; // works before the delay is over
};

static bool grant_gives(void *arg, const struct grant *g)
{
    const struct grant_search *s = arg;
    const struct authz_question *q = s->q;
    if (!s->by_token && q->now_ns - g->created_ns < q->grant_delay_ns)
        return false;
    if (!grant_covers(g, q->operation, q->context, q->source_arn, q->context_case))
        return false;
    return !q->child || grant_child_allowed(g, q->child, q->context_case);
}

static bool is_grantee(const struct authz_question *q, const struct grant *g, bool identity_allows)
{
    const char *names[AUTHZ_NAMES_MAX];
    size_t n = authz_names(q, names);
    for (size_t i = 0; i < n; i++)
        if (strcmp(g->grantee, names[i]) == 0)
            return true;
    return identity_allows && q->caller->type != PRINCIPAL_SERVICE && authz_is_account_of(g->grantee, q->account);
}

static const struct grant *grant_by_token(const struct authz_question *q, bool identity_allows)
{
    struct grant_search s = {q, true};
    for (size_t i = 0; i < q->tokens_n; i++) {
        const struct grant *g = grant_set_find(&q->key->grants, q->tokens[i]);
        if (g && is_grantee(q, g, identity_allows) && grant_gives(&s, g))
            return g;
    }
    return NULL;
}

// Operations that are not matched against a context look at all of the grantee's grants, but CreateGrant's child brings
// the pairs that a parent must not exceed.
static const struct str_map *search_context(const struct authz_question *q)
{
    static const struct str_map none;
    if (q->operation == GRANT_DESCRIBE_KEY || q->operation == GRANT_RETIRE_GRANT)
        return NULL;
    if (q->operation == GRANT_CREATE_GRANT)
        return q->child ? &q->child->context : NULL;
    return q->context ? q->context : &none;
}

static const struct grant *find_grant(const struct authz_question *q, bool identity_allows)
{
    if (!q->key || q->operation == GRANT_NONE || q->key->grants.by_id.n == 0)
        return NULL;
    struct grant_search s = {q, false};
    struct grant_query query = {
        .operations = GRANT_BIT(q->operation) | (q->child ? q->child->operations : 0),
        .context = search_context(q),
        .source_arn = q->source_arn,
    };
    const char *names[AUTHZ_NAMES_MAX];
    const struct grant *found = grant_by_token(q, identity_allows);
    size_t n = authz_names(q, names);
    for (size_t i = 0; !found && i < n; i++) {
        query.principal = names[i];
        found = grant_set_search(&q->key->grants, &query, grant_gives, &s);
    }
    if (!found && identity_allows && q->caller->type != PRINCIPAL_SERVICE) {
        char root[64];
        snprintf(root, sizeof root, "arn:%s:iam::%s:root", region_partition(span_of(q->key->region)), q->account);
        query.principal = root;
        found = grant_set_search(&q->key->grants, &query, grant_gives, &s);
    }
    return found;
}

// ---- the order of the decision ----

static void decide_with_key(const struct authz_question *q, struct decision *d)
{
    struct policy_request r = request_of(q);
    struct policy_match by_key = policy_evaluate(q->key->policy->parsed, &r);
    struct decision identity;
    bool service = q->caller->type == PRINCIPAL_SERVICE;
    bool identity_allows = authz_identity_allows(q, &identity);
    bool same_account = strcmp(q->key->account, q->account) == 0;
    if (by_key.effect == POLICY_DENY) {
        decide(d, DECISION_DENY_RESOURCE_POLICY, 0, &by_key);
        return;
    }
    if (identity.reason == DECISION_DENY_IDENTITY_POLICY) {
        *d = identity;
        return;
    }
    bool allows = by_key.effect == POLICY_ALLOW;
    if (allows && !by_key.delegates_to_account && (service || same_account || identity_allows)) {
        decide(d, DECISION_RESOURCE_POLICY, 0, &by_key);
        return;
    }
    if (allows && !service && identity_allows) {
        *d = identity;
        return;
    }
    const struct grant *g = find_grant(q, identity_allows);
    if (g) {
        decide(d, DECISION_GRANT, 0, NULL);
        memcpy(d->grant_id, g->id_hex, sizeof d->grant_id);
        return;
    }
    decide(d, allows && !service ? DECISION_NO_IDENTITY_POLICY : DECISION_NO_RESOURCE_POLICY, 0, NULL);
}

void authz_decide(const struct authz_question *q, struct decision *d)
{
    if (q->key)
        decide_with_key(q, d);
    else
        authz_identity_allows(q, d);
}
