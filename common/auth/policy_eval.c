// Evaluates a parsed policy for one request. The order between policies is the daemons' (kmsd/authz).
// Source: IAM User Guide, "Policy evaluation logic".
#include <string.h>

#include "common/auth/policy_internal.h"
#include "common/auth/principal.h"

enum match { MATCH_NO, MATCH_ACCOUNT, MATCH_SELF };

static enum match match_principal(const struct policy_principal *p, const struct principal *caller)
{
    switch (p->kind) {
    case POLICY_PRINCIPAL_ANY:
        return MATCH_SELF;
    case POLICY_PRINCIPAL_ACCOUNT:
        return caller->type != PRINCIPAL_SERVICE && span_is(p->value, caller->account) ? MATCH_ACCOUNT : MATCH_NO;
    case POLICY_PRINCIPAL_AWS:
        if (caller->type == PRINCIPAL_SERVICE)
            return MATCH_NO;
        return span_is(p->value, caller->arn) || (caller->role_arn && span_is(p->value, caller->role_arn)) ||
                       span_is(p->value, caller->principal_id) ||
                       (caller->role_id && span_is(p->value, caller->role_id))
                   ? MATCH_SELF
                   : MATCH_NO;
    case POLICY_PRINCIPAL_SERVICE:
        return caller->type == PRINCIPAL_SERVICE && span_is(p->value, caller->arn) ? MATCH_SELF : MATCH_NO;
    }
    return MATCH_NO;
}

static enum match match_principals(const struct policy_statement *s, const struct principal *caller)
{
    enum match best = MATCH_NO;
    for (size_t i = 0; i < s->principals_n && best != MATCH_SELF; i++) {
        enum match m = match_principal(&s->principals[i], caller);
        if (m > best)
            best = m;
    }
    return best;
}

static bool any_matches(const struct span *patterns, size_t n, struct span text, bool fold)
{
    for (size_t i = 0; i < n; i++)
        if (policy_wildcard(text, patterns[i], fold))
            return true;
    return false;
}

static bool condition_holds(const struct policy_condition *c, const struct policy_request *r)
{
    struct span value;
    if (!r->lookup || !r->lookup(r->arg, c->key, &value))
        return false;
    for (size_t i = 0; i < c->values_n; i++)
        if (c->operator->matches(value, c->values[i]))
            return true;
    return false;
}

static bool conditions_hold(const struct policy_statement *s, const struct policy_request *r)
{
    for (size_t i = 0; i < s->conditions_n; i++)
        if (!condition_holds(&s->conditions[i], r))
            return false;
    return true;
}

// How far a statement is about the request: MATCH_SELF for identity policies, which have no principal.
static enum match match_statement(const struct policy *p, const struct policy_statement *s,
                                  const struct policy_request *r)
{
    if (!any_matches(s->actions, s->actions_n, span_of(r->action), true))
        return MATCH_NO;
    enum match m = p->kind == POLICY_RESOURCE ? match_principals(s, r->caller) : MATCH_SELF;
    if (m == MATCH_NO || !any_matches(s->resources, s->resources_n, span_of(r->resource), false) ||
        !conditions_hold(s, r))
        return MATCH_NO;
    return m;
}

struct policy_match policy_evaluate(const struct policy *p, const struct policy_request *r)
{
    struct policy_match best = {.effect = POLICY_NONE};
    for (size_t i = 0; i < p->statements_n; i++) {
        const struct policy_statement *s = &p->statements[i];
        enum match m = match_statement(p, s, r);
        if (m == MATCH_NO)
            continue;
        struct policy_match found = {.effect = s->effect,
                                     .delegates_to_account = m == MATCH_ACCOUNT && s->effect == POLICY_ALLOW,
                                     .statement = i,
                                     .sid = s->sid};
        if (s->effect == POLICY_DENY)
            return found;
        if (best.effect == POLICY_NONE || (best.delegates_to_account && !found.delegates_to_account))
            best = found;
    }
    return best;
}

// Who will call is known, and nothing else about that call.
static bool lookup_account(void *arg, struct span key, struct span *value)
{
    const struct principal *caller = arg;
    *value = span_of(caller->account);
    return value->n > 0 && span_ieq(key, SPAN("kms:CallerAccount"));
}

bool policy_keeps_access(const struct policy *p, const struct principal *caller, const char *action,
                         const char *resource)
{
    struct policy_request r = {
        .caller = caller, .action = action, .resource = resource, .lookup = lookup_account, .arg = (void *)caller};
    return policy_evaluate(p, &r).effect == POLICY_ALLOW;
}
