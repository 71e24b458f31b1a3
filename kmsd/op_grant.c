// CreateGrant and RevokeGrant. RetireGrant, which has rules of its own about who may, is op_retire_grant.c's; the lists
// are op_list_grants.c's.
#include "kmsd/op_grant.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/ids.h"
#include "kmsd/arn.h"
#include "kmsd/call_state.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/ops.h"
#include "kmsd/permit.h"
#include "kmsd/principal_form.h"
#include "kmsd/quota.h"
#include "kmsd/resolve.h"

#define SOURCE_ARN_PATTERN "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$"

// [a-z0-9-]*
static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool source_arn_matches(struct span text)
{
    struct arn arn;
    return arn_parse(text, &arn) && span_starts(arn.partition, "aws") && is_plain(arn.partition) && arn.service.n > 0 &&
           is_plain(arn.service) && is_plain(arn.region) && id_is_account(arn.account) && arn.resource.n > 0 &&
           !memchr(arn.resource.p, '\n', arn.resource.n);
}

static const struct param constraint_rows[] = {
    {.name = "EncryptionContextSubset",
     .type = PARAM_MAP,
     .offset = PARAM_AT(constraints, subset),
     .max = KMS_CONSTRAINT_PAIRS_MAX,
     .value_max = KMS_CONSTRAINT_VALUE_MAX},
    {.name = "EncryptionContextEquals",
     .type = PARAM_MAP,
     .offset = PARAM_AT(constraints, equals),
     .max = KMS_CONSTRAINT_PAIRS_MAX,
     .value_max = KMS_CONSTRAINT_VALUE_MAX},
    {.name = "SourceArn",
     .type = PARAM_STRING,
     .offset = PARAM_AT(constraints, source_arn),
     .min = 20,
     .max = 512,
     .pattern = SOURCE_ARN_PATTERN,
     .matches = source_arn_matches},
    {NULL},
};

#define AT(member_) PARAM_AT(grant_params, member_)

const struct param create_grant_rows[] = {
    ROW_KEY_ID,
    {.name = "GranteePrincipal",
     .type = PARAM_STRING,
     .offset = AT(grantee),
     .min = 1,
     .max = 256,
     .pattern = PRINCIPAL_PATTERN,
     .matches = principal_matches},
    {.name = "RetiringPrincipal",
     .type = PARAM_STRING,
     .offset = AT(retiring),
     .min = 1,
     .max = 256,
     .pattern = PRINCIPAL_PATTERN,
     .matches = principal_matches},
    {.name = "Operations",
     .type = PARAM_STRINGS,
     .offset = AT(operations),
     .required = true,
     .min = 1,
     .max = 100,
     .choices = grant_operation_names},
    {.name = "Constraints",
     .type = PARAM_OBJECT,
     .offset = AT(constraints),
     .members = constraint_rows,
     .members_size = sizeof(struct constraints)},
    ROW_GRANT_TOKENS,
    {.name = "Name",
     .type = PARAM_STRING,
     .offset = AT(name),
     .min = 1,
     .max = 256,
     .pattern = "^[a-zA-Z0-9:/_-]+$",
     .matches = alias_matches},
    ROW_DRY_RUN,
    {.name = "GranteeServicePrincipal",
     .type = PARAM_STRING,
     .offset = AT(grantee_service),
     .min = 1,
     .max = 128,
     .pattern = SERVICE_PRINCIPAL_PATTERN,
     .matches = service_principal_matches},
    {.name = "RetiringServicePrincipal",
     .type = PARAM_STRING,
     .offset = AT(retiring_service),
     .min = 1,
     .max = 128,
     .pattern = SERVICE_PRINCIPAL_PATTERN,
     .matches = service_principal_matches},
    {NULL},
};

static const struct fault *check_principals(struct call *call, const struct grant_params *p)
{
    if (!p->grantee.p == !p->grantee_service.p)
        return call_fault(call, &fault_validation,
                          "You must specify either GranteePrincipal or GranteeServicePrincipal, and not both.");
    if (p->retiring.p && p->retiring_service.p)
        return call_fault(call, &fault_validation,
                          "You cannot specify RetiringPrincipal and RetiringServicePrincipal in the same request.");
    if (p->grantee_service.p && !p->constraints.source_arn.p)
        return call_fault(call, &fault_validation,
                          "A SourceArn constraint is required when GranteeServicePrincipal is specified.");
    if (p->grantee_service.p && !p->retiring.p && !p->retiring_service.p)
        return call_fault(call, &fault_validation,
                          "RetiringPrincipal or RetiringServicePrincipal is required when GranteeServicePrincipal is "
                          "specified.");
    if (p->grantee.p && !principal_valid(p->grantee))
        return call_fault(call, &fault_invalid_arn, "ARN does not refer to a valid principal: %.*s", (int)p->grantee.n,
                          p->grantee.p);
    if (p->retiring.p && !principal_valid(p->retiring))
        return call_fault(call, &fault_invalid_arn, "ARN does not refer to a valid principal: %.*s", (int)p->retiring.n,
                          p->retiring.p);
    return NULL;
}

static uint32_t operation_bits(const struct span_list *names)
{
    uint32_t bits = 0;
    enum grant_operation operation;
    for (size_t i = 0; i < names->n; i++)
        if (grant_operation_find(names->v[i], &operation))
            bits |= GRANT_BIT(operation);
    return bits;
}

static const struct fault *check_terms(struct call *call)
{
    const struct grant_params *p = call->params;
    enum context_case rule = keyring_context_case(kmsd_of(call)->keyring);
    const struct fault *fault = check_principals(call, p);
    if (fault)
        return fault;
    if (operation_bits(&p->operations) == GRANT_BIT(GRANT_CREATE_GRANT))
        return call_fault(call, &fault_validation, "Grants must not contain only the CreateGrant operation.");
    // An empty second map counts too.
    if (p->constraints.subset.set && p->constraints.equals.set)
        return call_fault(call, &fault_validation, "More than one constraint supplied");
    if (enc_context_has_duplicates(&p->constraints.subset, rule) ||
        enc_context_has_duplicates(&p->constraints.equals, rule))
        return call_fault(call, &fault_validation, "The encryption context of a constraint has a key twice.");
    return NULL;
}

static char *own(struct span text)
{
    char *copy = text.p ? strndup(text.p, text.n) : NULL;
    if (text.p && !copy)
        abort();
    return copy;
}

// A grant hangs on its call until it is created.
struct draft {
    struct call_state base;
    struct grant *grant;
};

static void draft_free(struct call_state *state)
{
    struct draft *d = (struct draft *)state;
    grant_free(d->grant);
    free(d);
}

static struct grant *drafted(const struct call *call)
{
    return ((struct draft *)call->state)->grant;
}

// The grant that the request describes.
static struct grant *describe(const struct call *call)
{
    const struct grant_params *p = call->params;
    struct grant *g = grant_new();
    g->name = own(p->name);
    g->grantee = own(p->grantee.p ? p->grantee : p->grantee_service);
    g->retiring = own(p->retiring.p ? p->retiring : p->retiring_service);
    g->grantee_is_service = p->grantee_service.p != NULL;
    g->retiring_is_service = p->retiring_service.p != NULL;
    memcpy(g->issuing_account, call->account, sizeof g->issuing_account);
    g->operations = operation_bits(&p->operations);
    if (p->constraints.subset.n > 0) {
        g->constraint = GRANT_CONTEXT_SUBSET;
        g->context = enc_context_copy(&p->constraints.subset);
    } else if (p->constraints.equals.set) {
        g->constraint = GRANT_CONTEXT_EQUALS;
        g->context = enc_context_copy(&p->constraints.equals);
    }
    g->source_arn = own(p->constraints.source_arn);
    g->created_ns = call->time_ns;
    return g;
}

static void draft(struct call *call)
{
    struct draft *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->base.free = draft_free;
    d->grant = describe(call);
    call->state = d;
}

const struct fault *create_grant_resolve(struct call *call)
{
    const struct fault *fault = check_terms(call);
    if (!fault)
        fault = resolve_key(call);
    if (!fault)
        draft(call);
    return fault;
}

// What this kind of key cannot do; the service looks at the constraints first (recorded from DynamoDB's grants).
static const struct fault *check_key(struct call *call, const struct key_spec *spec, enum key_usage usage,
                                     const struct grant *g)
{
    if (g->constraint != GRANT_UNCONSTRAINED && !spec->symmetric)
        return call_fault(call, &fault_validation,
                          "EncryptionContext is supported only when creating a grant for a symmetric encryption KMS "
                          "key.");
    uint32_t impossible = g->operations & ~key_spec_grants(spec, usage);
    for (int i = 0; i < GRANT_OPERATIONS; i++)
        if (impossible >> i & 1)
            return call_fault(call, &fault_validation, "Operation %s is not supported by keys of KeySpec %s.",
                              grant_operation_names[i], spec->name);
    return NULL;
}

const struct fault *create_grant_describe(struct call *call, const struct key_spec *spec, enum key_usage usage,
                                          struct grant **out)
{
    const struct fault *fault = check_terms(call);
    *out = fault ? NULL : describe(call);
    return fault ? fault : check_key(call, spec, usage, *out);
}

const struct fault *create_grant_authorize(struct call *call)
{
    struct key *key = call->subject;
    const struct grant *g = drafted(call);
    struct authz_question q;
    const struct fault *fault = permit_question(call, key, &q);
    q.context = &g->context;
    q.child = g;
    if (!fault)
        fault = permit_ask(call, &q, false);
    if (!fault)
        fault = check_key(call, key->spec, key->usage, g);
    return fault ? fault : permit_state(call, key);
}

static const struct fault *reply_grant(struct call *call, const struct grant *g)
{
    struct grant_params *p = call->params;
    struct json_write *w = &call->out;
    struct buf token;
    p->made = g;
    buf_init(&token, 1024);
    grant_token_write(keyring_root(kmsd_of(call)->keyring), g->id, &token);
    json_obj_begin(w);
    json_kcstr(w, "GrantId", g->id_hex);
    json_kstr(w, "GrantToken", buf_span(&token));
    json_obj_end(w);
    bool ok = buf_ok(&token);
    buf_done(&token);
    return ok ? NULL : &fault_internal;
}

const struct fault *create_grant(struct call *call)
{
    struct key *key = call->subject;
    struct grant *g = drafted(call);
    grant_fingerprint(g, g->fingerprint);
    const struct grant *same = grant_set_same(&key->grants, g);
    const struct fault *fault = same ? NULL : quota_grant(call, key);
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    if (same)
        return reply_grant(call, same);
    ((struct draft *)call->state)->grant = NULL;
    keyring_create_grant(kmsd_of(call)->keyring, key, g);
    call->needs_commit = true;
    return reply_grant(call, g);
}

void create_grant_trail(struct json_write *w, struct call *call)
{
    const struct grant_params *p = call->params;
    json_obj_begin(w);
    json_kcstr(w, "grantId", p->made->id_hex);
    json_kcstr(w, "keyId", p->made->key->arn);
    json_obj_end(w);
}

// ---- RevokeGrant ----

const struct param revoke_grant_rows[] = {
    ROW_KEY_ID,
    {.name = "GrantId",
     .type = PARAM_STRING,
     .offset = PARAM_AT(revoke_params, grant_id),
     .required = true,
     .min = 1,
     .max = 128},
    ROW_DRY_RUN,
    {NULL},
};

const struct fault *revoke_grant(struct call *call)
{
    const struct revoke_params *p = call->params;
    struct key *key = call->subject;
    unsigned char id[GRANT_ID_SIZE];
    const struct fault *fault = grant_id_read(p->grant_id, id);
    if (fault)
        return fault;
    struct grant *g = grant_set_find(&key->grants, id);
    if (!g)
        return call_fault(call, &fault_not_found, "Grant ID %.*s not found", (int)p->grant_id.n, p->grant_id.p);
    fault = permit_dry_run(call);
    if (fault)
        return fault;
    changes_add(kmsd_of(call)->changes, CHANGE_GRANT_REVOKED, key->arn, g->id_hex);
    keyring_remove_grant(kmsd_of(call)->keyring, g);
    call->needs_commit = true;
    return NULL;
}
