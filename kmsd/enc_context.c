// Encryption contexts for ciphertext.c (canonical form), grant.c (constraints) and authz.c (condition keys).
#include "kmsd/enc_context.h"

#include <stdlib.h>
#include <string.h>

#include "kmsd/limits.h"
#include "kmsd/record.h"

static int pair_cmp(const void *a, const void *b)
{
    return span_cmp(((const struct str_pair *)a)->key, ((const struct str_pair *)b)->key);
}

static bool sorted(const struct str_map *context)
{
    for (size_t i = 1; i < context->n; i++)
        if (span_cmp(context->v[i - 1].key, context->v[i].key) > 0)
            return false;
    return true;
}

static void append_pairs(const struct str_pair *pairs, size_t n, struct buf *b)
{
    record_put_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        record_put_bytes(b, pairs[i].key);
        record_put_bytes(b, pairs[i].value);
    }
}

bool enc_context_canonical(const struct str_map *context, struct buf *b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < context->n; i++)
        bytes += context->v[i].key.n + context->v[i].value.n;
    if (bytes > KMS_CONTEXT_BYTES_MAX)
        return false;
    if (sorted(context)) {
        append_pairs(context->v, context->n, b);
        return buf_ok(b);
    }
    struct str_pair few[16];
    struct str_pair *pairs = context->n <= 16 ? few : malloc(context->n * sizeof *pairs);
    if (!pairs)
        return false;
    memcpy(pairs, context->v, context->n * sizeof *pairs);
    qsort(pairs, context->n, sizeof *pairs, pair_cmp);
    append_pairs(pairs, context->n, b);
    if (pairs != few)
        free(pairs);
    return buf_ok(b);
}

bool enc_context_key_eq(struct span a, struct span b, enum context_case rule)
{
    return rule == CONTEXT_CASE_EXACT ? span_eq(a, b) : span_ieq(a, b);
}

static bool has_pair(const struct str_map *context, const struct str_pair *pair, enum context_case rule)
{
    for (size_t i = 0; i < context->n; i++)
        if (span_eq(context->v[i].value, pair->value) && enc_context_key_eq(context->v[i].key, pair->key, rule))
            return true;
    return false;
}

bool enc_context_subset(const struct str_map *constraint, const struct str_map *context, enum context_case rule)
{
    for (size_t i = 0; i < constraint->n; i++)
        if (!has_pair(context, &constraint->v[i], rule))
            return false;
    return true;
}

bool enc_context_equal(const struct str_map *a, const struct str_map *b, enum context_case rule)
{
    return a->n == b->n && enc_context_subset(a, b, rule) && enc_context_subset(b, a, rule);
}

bool enc_context_has_duplicates(const struct str_map *context, enum context_case rule)
{
    for (size_t i = 0; i < context->n; i++)
        for (size_t j = i + 1; j < context->n; j++)
            if (enc_context_key_eq(context->v[i].key, context->v[j].key, rule))
                return true;
    return false;
}

bool enc_context_value(const struct str_map *context, struct span key, struct span *value)
{
    for (size_t i = 0; context && i < context->n; i++) {
        if (span_eq(context->v[i].key, key)) {
            *value = context->v[i].value;
            return true;
        }
    }
    return false;
}

// One block: the pairs, then their texts.
struct str_map enc_context_copy(const struct str_map *context)
{
    struct str_map copy = {.n = context->n, .set = context->set};
    if (context->n == 0)
        return copy;
    size_t texts = 0;
    for (size_t i = 0; i < context->n; i++)
        texts += context->v[i].key.n + context->v[i].value.n;
    char *block = malloc(context->n * sizeof *copy.v + texts + 1);
    if (!block)
        abort();
    copy.v = (struct str_pair *)(void *)block;
    char *text = block + context->n * sizeof *copy.v;
    for (size_t i = 0; i < context->n; i++) {
        struct span from[2] = {context->v[i].key, context->v[i].value};
        struct span *to[2] = {&copy.v[i].key, &copy.v[i].value};
        for (int part = 0; part < 2; part++) {
            if (from[part].n)
                memcpy(text, from[part].p, from[part].n);
            *to[part] = (struct span){text, from[part].n};
            text += from[part].n;
        }
    }
    qsort(copy.v, copy.n, sizeof *copy.v, pair_cmp);
    return copy;
}

void enc_context_free(struct str_map *context)
{
    free(context->v);
    *context = (struct str_map){0};
}
