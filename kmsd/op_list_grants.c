// ListGrants (of a key) and ListRetirableGrants (of a principal, across keys).
#include "kmsd/op_list_grants.h"

#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "kmsd/arn.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"
#include "kmsd/permit.h"
#include "kmsd/principal_form.h"
#include "kmsd/resolve.h"

#define PAGE_USUAL 50
#define PAGE_MAX 100

#define AT(member_) PARAM_AT(list_grants_params, member_)
#define ROW_PRINCIPAL(name_)                                                                                           \
    {                                                                                                                  \
        .name = name_, .type = PARAM_STRING, .offset = AT(principal), .min = 1, .max = 256,                            \
        .pattern = PRINCIPAL_PATTERN, .matches = principal_matches                                                     \
    }
#define ROW_SERVICE(name_)                                                                                             \
    {                                                                                                                  \
        .name = name_, .type = PARAM_STRING, .offset = AT(service), .min = 1, .max = 128,                              \
        .pattern = SERVICE_PRINCIPAL_PATTERN, .matches = service_principal_matches                                     \
    }

const struct param list_grants_rows[] = {
    ROW_LIMIT(KMS_LIST_MAX),
    ROW_MARKER,
    ROW_KEY_ID,
    {.name = "GrantId", .type = PARAM_STRING, .offset = AT(grant_id), .min = 1, .max = 128},
    ROW_PRINCIPAL("GranteePrincipal"),
    ROW_SERVICE("GranteeServicePrincipal"),
    {NULL},
};
const struct param list_retirable_grants_rows[] = {
    ROW_LIMIT(KMS_LIST_MAX),
    ROW_MARKER,
    ROW_PRINCIPAL("RetiringPrincipal"),
    ROW_SERVICE("RetiringServicePrincipal"),
    {NULL},
};

static bool wanted(const struct list_grants_params *p, const struct grant *g)
{
    if (p->grant_id.p && !span_is(p->grant_id, g->id_hex))
        return false;
    if (p->service.p)
        return g->grantee_is_service && span_is(p->service, g->grantee);
    return !p->principal.p || (!g->grantee_is_service && span_is(p->principal, g->grantee));
}

static const char *filters(struct call *call, const char *key_arn)
{
    const struct list_grants_params *p = call->params;
    return arena_printf(&call->arena, "%s\n%.*s\n%.*s\n%.*s", key_arn, (int)p->grant_id.n,
                        p->grant_id.n ? p->grant_id.p : "", (int)p->principal.n, p->principal.n ? p->principal.p : "",
                        (int)p->service.n, p->service.n ? p->service.p : "");
}

const struct fault *list_grants_resolve(struct call *call)
{
    const struct list_grants_params *p = call->params;
    if (p->principal.p && p->service.p)
        return call_fault(call, &fault_validation,
                          "You cannot specify GranteePrincipal and GranteeServicePrincipal in the same request.");
    const struct fault *fault = resolve_key(call);
    // This filter is for services.
    if (!fault && p->service.p && call->caller.principal->type != PRINCIPAL_SERVICE)
        return permit_unknown(call, arena_strndup(&call->arena, p->service.p, p->service.n));
    return fault;
}

// A named grant must be there.
static const struct fault *check_grant_id(struct call *call, const struct key *key)
{
    const struct list_grants_params *p = call->params;
    unsigned char id[GRANT_ID_SIZE];
    const struct fault *fault = p->grant_id.p ? grant_id_read(p->grant_id, id) : NULL;
    if (fault || !p->grant_id.p || grant_set_find(&key->grants, id))
        return fault;
    return call_fault(call, &fault_not_found, "Grant ID %.*s not found", (int)p->grant_id.n, p->grant_id.p);
}

const struct fault *list_grants(struct call *call)
{
    const struct list_grants_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct list_page page;
    unsigned char after[GRANT_ID_SIZE];
    const struct fault *fault = check_grant_id(call, key);
    if (!fault)
        fault = list_begin(call, filters(call, key->arn), PAGE_USUAL, PAGE_MAX, &page);
    if (fault)
        return fault;
    size_t i = grant_set_after(&key->grants, hex_decode(page.after, after, sizeof after) ? after : NULL), shown = 0;
    struct span last = page.after;
    bool more = false;
    json_obj_begin(w);
    json_key(w, "Grants");
    json_arr_begin(w);
    for (; i < key->grants.by_id.n && !more; i++) {
        const struct grant *g = key->grants.by_id.v[i];
        if (!wanted(p, g))
            continue;
        more = shown == page.limit;
        if (more)
            break;
        grant_write(g, w);
        last = span_of(g->id_hex);
        shown++;
    }
    json_arr_end(w);
    list_end(call, &page, more, last);
    json_obj_end(w);
    return NULL;
}

// ---- ListRetirableGrants ----

static const char *retiring_principal(struct call *call)
{
    const struct list_grants_params *p = call->params;
    struct span who = p->principal.p ? p->principal : p->service;
    return arena_strndup(&call->arena, who.p, who.n);
}

const struct fault *list_retirable_grants_resolve(struct call *call)
{
    const struct list_grants_params *p = call->params;
    if (!p->principal.p == !p->service.p)
        return call_fault(call, &fault_validation,
                          "You must specify either RetiringPrincipal or RetiringServicePrincipal, and not both.");
    if (p->principal.p && !principal_valid(p->principal))
        return call_fault(call, &fault_invalid_arn, "ARN does not refer to a valid principal: %.*s",
                          (int)p->principal.n, p->principal.p);
    return NULL;
}

// The resource is the principal, which must be of the caller's account; a service may ask for its own.
const struct fault *list_retirable_grants_authorize(struct call *call)
{
    struct authz_question q;
    struct arn arn;
    const char *names[AUTHZ_NAMES_MAX], *who = retiring_principal(call);
    const struct fault *fault = permit_question(call, NULL, &q);
    if (fault)
        return fault;
    if (q.caller->type == PRINCIPAL_SERVICE) {
        size_t n = authz_names(&q, names);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(who, names[i]) == 0) {
                call->decision = (struct decision){.reason = DECISION_RETIRER};
                return NULL;
            }
        }
    }
    if (!arn_parse(span_of(who), &arn) || !span_is(arn.account, call->account))
        return permit_unknown(call, who);
    q.resource = who;
    return permit_ask(call, &q, false);
}

static struct span place_of(struct call *call, const struct grant *g)
{
    return span_of(arena_printf(&call->arena, "%s/%s", g->key->arn, g->id_hex));
}

// Where the page starts: the position is "<key ARN>/<grant id>".
static size_t first_of_page(struct call *call, const struct ptr_vec *grants, struct span after)
{
    unsigned char id[GRANT_ID_SIZE];
    if (after.n < 66 || !hex_decode((struct span){after.p + after.n - 64, 64}, id, sizeof id))
        return 0;
    return retirable_after(grants, arena_strndup(&call->arena, after.p, after.n - 65), id);
}

const struct fault *list_retirable_grants(struct call *call)
{
    static const struct ptr_vec none;
    const struct list_grants_params *p = call->params;
    struct json_write *w = &call->out;
    struct list_page page;
    const struct fault *fault = list_begin(call, filters(call, ""), PAGE_USUAL, PAGE_MAX, &page);
    if (fault)
        return fault;
    const struct ptr_vec *grants = keyring_retirable(kmsd_of(call)->keyring, call->region, retiring_principal(call));
    grants = grants ? grants : &none;
    const struct grant *last = NULL;
    size_t shown = 0;
    bool more = false;
    json_obj_begin(w);
    json_key(w, "Grants");
    json_arr_begin(w);
    for (size_t i = first_of_page(call, grants, page.after); i < grants->n && !more; i++) {
        const struct grant *g = grants->v[i];
        if (g->retiring_is_service != (p->service.p != NULL))
            continue;
        more = shown == page.limit;
        if (more)
            break;
        grant_write(g, w);
        last = g;
        shown++;
    }
    json_arr_end(w);
    list_end(call, &page, more, last ? place_of(call, last) : page.after);
    json_obj_end(w);
    return NULL;
}
