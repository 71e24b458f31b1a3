// The rules of grants, for authz.c and op_grant.c. Finding them is grant_set.c's; where they are kept, keyring.c's.
#include "kmsd/grant.h"

#include <string.h>

#include "common/auth/region.h"
#include "common/base/digest.h"
#include "common/base/ids.h"
#include "kmsd/arn.h"
#include "kmsd/key.h"
#include "kmsd/limits.h"
#include "kmsd/record.h"

#define VERSION 1
#define CONTEXT_FREE (GRANT_BIT(GRANT_DESCRIBE_KEY) | GRANT_BIT(GRANT_RETIRE_GRANT) | GRANT_BIT(GRANT_CREATE_GRANT))

struct grant *grant_new(void)
{
    struct grant *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    return g;
}

void grant_free(struct grant *g)
{
    if (!g)
        return;
    enc_context_free(&g->context);
    free(g->name);
    free(g->grantee);
    free(g->retiring);
    free(g->source_arn);
    free(g);
}

static bool context_fits(const struct grant *g, const struct str_map *context, enum context_case rule)
{
    static const struct str_map none;
    const struct str_map *given = context ? context : &none;
    switch (g->constraint) {
    case GRANT_CONTEXT_SUBSET:
        return enc_context_subset(&g->context, given, rule);
    case GRANT_CONTEXT_EQUALS:
        return enc_context_equal(&g->context, given, rule);
    case GRANT_UNCONSTRAINED:
        break;
    }
    return true;
}

bool grant_covers(const struct grant *g, enum grant_operation operation, const struct str_map *context,
                  const char *source_arn, enum context_case rule)
{
    if (!(g->operations & GRANT_BIT(operation)))
        return false;
    if (g->source_arn && operation != GRANT_RETIRE_GRANT && (!source_arn || strcmp(source_arn, g->source_arn) != 0))
        return false;
    return (CONTEXT_FREE & GRANT_BIT(operation)) || context_fits(g, context, rule);
}

static bool constraint_narrows(const struct grant *parent, const struct grant *child, enum context_case rule)
{
    switch (parent->constraint) {
    case GRANT_CONTEXT_SUBSET: // more pairs, or exactly a set that holds them
        return child->constraint != GRANT_UNCONSTRAINED && enc_context_subset(&parent->context, &child->context, rule);
    case GRANT_CONTEXT_EQUALS:
        return child->constraint == GRANT_CONTEXT_EQUALS && enc_context_equal(&parent->context, &child->context, rule);
    case GRANT_UNCONSTRAINED:
        break;
    }
    return true;
}

bool grant_child_allowed(const struct grant *parent, const struct grant *child, enum context_case rule)
{
    if (!(parent->operations & GRANT_BIT(GRANT_CREATE_GRANT)) || (child->operations & ~parent->operations))
        return false;
    if (parent->source_arn && (!child->source_arn || strcmp(parent->source_arn, child->source_arn) != 0))
        return false;
    return constraint_narrows(parent, child, rule);
}

static void encode_terms(const struct grant *g, struct buf *out)
{
    record_put_text(out, g->name);
    record_put_text(out, g->grantee);
    record_put_text(out, g->retiring);
    record_put_u8(out, (uint8_t)((g->grantee_is_service ? 1 : 0) | (g->retiring_is_service ? 2 : 0)));
    record_put_text(out, g->issuing_account);
    record_put_u32(out, g->operations);
    record_put_u8(out, (uint8_t)g->constraint);
    record_put_u32(out, (uint32_t)g->context.n);
    for (size_t i = 0; i < g->context.n; i++) {
        record_put_bytes(out, g->context.v[i].key);
        record_put_bytes(out, g->context.v[i].value);
    }
    record_put_text(out, g->source_arn);
}

void grant_fingerprint(const struct grant *g, unsigned char out[32])
{
    struct buf terms;
    buf_init(&terms, 64 * 1024);
    encode_terms(g, &terms);
    if (!buf_ok(&terms))
        abort();
    sha256(buf_span(&terms), out);
    buf_done(&terms);
}

void grant_encode(const struct grant *g, struct buf *out)
{
    record_put_u8(out, VERSION);
    record_put_i64(out, g->created_ns);
    encode_terms(g, out);
}

// The empty text stands for "none".
static char *optional_text(struct record_reader *r)
{
    char *text = record_text(r);
    if (text && !*text) {
        free(text);
        return NULL;
    }
    return text;
}

static void decode_context(struct record_reader *r, struct str_map *to)
{
    struct str_pair pairs[KMS_CONSTRAINT_PAIRS_MAX];
    uint32_t n = record_count(r, 8);
    if (n > KMS_CONSTRAINT_PAIRS_MAX)
        r->failed = true;
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        pairs[i].key = record_bytes(r);
        pairs[i].value = record_bytes(r);
    }
    if (!r->failed)
        *to = enc_context_copy(&(struct str_map){pairs, n, n > 0});
}

struct grant *grant_decode(struct span record)
{
    struct record_reader r = {.rest = record};
    struct grant *g = grant_new();
    uint8_t version = record_u8(&r);
    g->created_ns = record_i64(&r);
    g->name = optional_text(&r);
    g->grantee = record_text(&r);
    g->retiring = optional_text(&r);
    uint8_t flags = record_u8(&r);
    g->grantee_is_service = flags & 1;
    g->retiring_is_service = flags & 2;
    struct span account = record_bytes(&r);
    if (id_is_account(account))
        memcpy(g->issuing_account, account.p, 12);
    else
        r.failed = true;
    g->operations = record_u32(&r);
    uint8_t constraint = record_u8(&r);
    g->constraint = (enum grant_constraint)constraint;
    decode_context(&r, &g->context);
    g->source_arn = optional_text(&r);
    if (record_done(&r) && version == VERSION && constraint <= GRANT_CONTEXT_EQUALS)
        return g;
    grant_free(g);
    return NULL;
}

static void write_constraints(const struct grant *g, struct json_write *w)
{
    if (g->constraint == GRANT_UNCONSTRAINED && !g->source_arn)
        return;
    json_key(w, "Constraints");
    json_obj_begin(w);
    if (g->constraint != GRANT_UNCONSTRAINED) {
        json_key(w, g->constraint == GRANT_CONTEXT_SUBSET ? "EncryptionContextSubset" : "EncryptionContextEquals");
        json_obj_begin(w);
        for (size_t i = 0; i < g->context.n; i++) {
            json_key_span(w, g->context.v[i].key);
            json_str(w, g->context.v[i].value);
        }
        json_obj_end(w);
    }
    json_kcstr(w, "SourceArn", g->source_arn);
    json_obj_end(w);
}

void grant_write(const struct grant *g, struct json_write *w)
{
    char issuer[64];
    snprintf(issuer, sizeof issuer, "arn:%s:iam::%s:root", region_partition(span_of(g->key->region)),
             g->issuing_account);
    json_obj_begin(w);
    json_kcstr(w, "KeyId", g->key->arn);
    json_kcstr(w, "GrantId", g->id_hex);
    json_kcstr(w, "Name", g->name ? g->name : "");
    json_kepoch(w, "CreationDate", g->created_ns);
    json_kcstr(w, g->grantee_is_service ? "GranteeServicePrincipal" : "GranteePrincipal", g->grantee);
    json_kcstr(w, g->retiring_is_service ? "RetiringServicePrincipal" : "RetiringPrincipal", g->retiring);
    json_kcstr(w, "IssuingAccount", issuer);
    json_key(w, "Operations");
    json_arr_begin(w);
    for (int i = 0; i < GRANT_OPERATIONS; i++)
        if (g->operations & GRANT_BIT(i))
            json_cstr(w, grant_operation_names[i]);
    json_arr_end(w);
    write_constraints(g, w);
    json_obj_end(w);
}
