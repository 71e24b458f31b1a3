// The resolver and the authorizer of ddbd's operation table (ops.c). Existence is the leaf's matter: DynamoDB denies
// before it tells whether a table is there.
#include "ddbd/scope.h"

#include <string.h>

#include "common/auth/policy.h"
#include "common/auth/region.h"
#include "common/base/ids.h"
#include "ddbd/ddbd.h"
#include "ddbd/faults.h"

const char table_name_pattern[] = "[a-zA-Z0-9_.-]+";

bool table_name_matches(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
              c == '-'))
            return false;
    }
    return name.n > 0;
}

static const char *bad_length(struct arena *arena, const char *name, bool too_long)
{
    return arena_printf(
        arena,
        "1 validation error detected: Value '%s' at 'tableName' failed to satisfy constraint: Member must "
        "have length %s than or equal to %d",
        name, too_long ? "less" : "greater", too_long ? TABLE_NAME_MAX : TABLE_NAME_MIN);
}

const char *scope_name_of_table(const json_t *value, struct arena *arena)
{
    if (!value || json_is_null(value))
        return "The parameter 'TableName' is required but was not present in the request";
    const char *name = json_string_value(value); // NULL: the wrong type is told by the row
    size_t n = json_string_length(value);
    if (!name || strncmp(name, "arn:", 4) == 0 || (n >= TABLE_NAME_MIN && n <= TABLE_NAME_MAX))
        return NULL;
    return bad_length(arena, name, n > TABLE_NAME_MAX);
}

const char *scope_name_for_item(const json_t *value, struct arena *arena)
{
    const char *name = json_string_value(value);
    size_t n = json_string_length(value);
    if (name && n == 0)
        return "1 validation error detected: Value at 'TableName' failed to satisfy constraint: Member must have "
               "length "
               "greater than or equal to 1";
    if (name && n > TABLE_NAME_MAX && strncmp(name, "arn:", 4) != 0)
        return bad_length(arena, name, true);
    return NULL;
}

struct call_state *scope_state(struct call *call)
{
    if (call->state)
        return call->state;
    struct call_state *s = arena_alloc(&call->arena, sizeof *s);
    s->call = call;
    buf_init(&s->item, ITEM_MAX_ENCODED);
    buf_init(&s->key, KEY_ENC_MAX + 64);
    buf_init(&s->old, ITEM_MAX_ENCODED);
    call->state = s;
    return s;
}

// The next part of "arn:aws:dynamodb:…" up to a colon.
static struct span arn_part(struct span *rest)
{
    const char *colon = rest->n ? memchr(rest->p, ':', rest->n) : NULL;
    struct span part = {rest->p, colon ? (size_t)(colon - rest->p) : rest->n};
    size_t used = part.n + (colon ? 1 : 0);
    rest->p += used;
    rest->n -= used;
    return part;
}

static const char *partition_of(const struct call *call)
{
    return region_partition((struct span){call->region, strlen(call->region)});
}

static const struct fault *invalid_arn(struct call *call, const char *what, struct span arn)
{
    return call_fault(call, &fault_validation, "1 validation error detected: Invalid %s in '%.*s'", what, (int)arn.n,
                      arn.p);
}

// Takes the name out of a table ARN; checks that it is of this partition and Region.
static const struct fault *read_arn(struct call *call, struct span arn, struct span *name, struct call_state *s)
{
    struct span rest = arn;
    arn_part(&rest);
    struct span partition = arn_part(&rest), service = arn_part(&rest), region = arn_part(&rest);
    struct span account = arn_part(&rest);
    if (!span_is(partition, partition_of(call)))
        return invalid_arn(call, "AWS partition", arn);
    if (!span_is(service, "dynamodb"))
        return invalid_arn(call, "AWS service", arn);
    if (!span_is(region, call->region))
        return invalid_arn(call, "AWS region", arn);
    if (!id_is_account(account))
        return invalid_arn(call, "AWS account", arn);
    if (!span_starts(rest, "table/") || memchr(rest.p + 6, '/', rest.n - 6))
        return invalid_arn(call, "resource type", arn);
    memcpy(s->account, account.p, 12);
    s->account[12] = '\0';
    *name = (struct span){rest.p + 6, rest.n - 6};
    return NULL;
}

static const struct fault *check_name(struct call *call, struct span name)
{
    if (name.n < TABLE_NAME_MIN || name.n > TABLE_NAME_MAX)
        return call_fault(call, &fault_validation,
                          "TableName must be at least 3 characters long and at most 255 characters long");
    if (!table_name_matches(name))
        return call_fault(
            call, &fault_validation,
            "1 validation error detected: Value '%.*s' at 'tableName' failed to satisfy constraint: Member "
            "must satisfy regular expression pattern: %s",
            (int)name.n, name.p, table_name_pattern);
    return NULL;
}

const struct fault *scope_resolve_table(struct call *call)
{
    struct span name = ((const struct table_params *)call->params)->table_name;
    struct call_state *s = scope_state(call);
    memcpy(s->account, call->account, sizeof s->account);
    if (span_starts(name, "arn:")) {
        const struct fault *fault = read_arn(call, name, &name, s);
        if (fault)
            return fault;
    }
    const struct fault *fault = check_name(call, name);
    if (fault)
        return fault;
    memcpy(s->name, name.p, name.n);
    s->name[name.n] = '\0';
    s->arn = arena_printf(&call->arena, "arn:%s:dynamodb:%s:%s:table/%s", partition_of(call), call->region, s->account,
                          s->name);
    call_add_resource(call, s->account, "AWS::DynamoDB::Table", s->arn);
    return NULL;
}

const struct table_info *scope_table(struct call *call)
{
    struct call_state *s = scope_state(call);
    if (!s->table)
        s->table = catalogue_find(ddbd_of(call)->catalogue, s->account, call->region, s->name);
    return s->table;
}

const struct fault *scope_refuse_unbuilt(struct call *call, const char *const *members)
{
    for (; *members; members++) {
        const json_t *v = json_object_get(call->json, *members);
        if (v && !json_is_null(v))
            return call_fault(call, &fault_validation,
                              "One or more parameter values were invalid: %s is not supported by ddbd yet", *members);
    }
    return NULL;
}

// ---- authorization ----

static const char *resource_of(struct call *call)
{
    const struct call_state *s = call->state;
    if (s && s->arn)
        return s->arn;
    if (call->op->no_resources)
        return "*";
    return arena_printf(&call->arena, "arn:%s:dynamodb:%s:%s:table/*", partition_of(call), call->region, call->account);
}

static bool no_condition_keys(void *arg, struct span key, struct span *value)
{
    (void)arg;
    (void)key;
    (void)value;
    return false;
}

// Deny wins over every policy's Allow.
static void decide(const struct principal *who, const char *action, const char *resource, struct decision *d)
{
    struct policy_request r = {who, action, resource, no_condition_keys, NULL};
    *d = (struct decision){.reason = who->full_rights ? DECISION_FULL_RIGHTS : DECISION_NO_IDENTITY_POLICY};
    for (size_t i = 0; who->type != PRINCIPAL_SERVICE && i < who->policies_n; i++) {
        struct policy_match m = policy_evaluate(who->policies[i], &r);
        if (m.effect == POLICY_NONE || (m.effect == POLICY_ALLOW && d->reason == DECISION_IDENTITY_POLICY))
            continue;
        d->reason = m.effect == POLICY_DENY ? DECISION_DENY_IDENTITY_POLICY : DECISION_IDENTITY_POLICY;
        d->policy = i;
        d->statement = m.statement;
        d->sid = m.sid;
        if (m.effect == POLICY_DENY)
            return;
    }
}

const struct fault *scope_authorize(struct call *call)
{
    const struct call_state *s = call->state;
    const struct principal *who = call->caller.principal;
    const char *action = call->op->action, *resource = resource_of(call);
    if (s && s->account[0] && strcmp(s->account, call->account) != 0) {
        call->decision.reason = DECISION_NO_RESOURCE_POLICY; // another account's table: no resource policies here
        return &fault_access_denied;
    }
    decide(who, action, resource, &call->decision);
    if (decision_allows(&call->decision))
        return s && s->name[0] && catalogue_is_damaged(ddbd_of(call)->catalogue, s->account, call->region, s->name)
                   ? &fault_internal
                   : NULL;
    struct buf sentence;
    buf_init(&sentence, 4096);
    decision_sentence(&call->decision, who, action, resource, &sentence);
    const struct fault *fault =
        call_fault(call, &fault_access_denied, "%.*s", (int)sentence.len, sentence.len ? sentence.data : "");
    buf_done(&sentence);
    return fault;
}
