// Index of a key's grants. Filled by keyring.c, asked by authz.c and op_grant.c.
#include "kmsd/grant_set.h"

#include <stdlib.h>
#include <string.h>

#include "kmsd/hash.h"

struct grant_bucket {
    uint64_t anchor;
    struct grant *first;
    size_t n;
    UT_hash_handle hh;
};

struct grantee {
    char *principal;
    struct grant *first;
    size_t n;
    uint32_t with_operation[GRANT_OPERATIONS];
    struct grant_bucket open;     // grants without a context constraint
    struct grant_bucket *anchors; // hash by anchor
    UT_hash_handle hh;
};

static int id_cmp(const void *key, const void *element)
{
    return memcmp(key, ((const struct grant *)element)->id, GRANT_ID_SIZE);
}

// FNV-1a over key (lower-cased, so that both case rules find it) and value. Collisions only cost a look.
static uint64_t anchor_of(const struct str_pair *pair)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < pair->key.n; i++) {
        unsigned char c = (unsigned char)pair->key.p[i];
        h = (h ^ (c >= 'A' && c <= 'Z' ? (unsigned)(c + 32) : c)) * UINT64_C(0x100000001b3);
    }
    h *= UINT64_C(0x100000001b3);
    for (size_t i = 0; i < pair->value.n; i++)
        h = (h ^ (unsigned char)pair->value.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static struct grantee *find_grantee(const struct grant_set *s, const char *principal)
{
    struct grantee *node;
    HASH_FIND_STR(s->grantees, principal, node);
    return node;
}

static struct grantee *make_grantee(struct grant_set *s, const char *principal)
{
    struct grantee *node = find_grantee(s, principal);
    if (node)
        return node;
    node = calloc(1, sizeof *node);
    if (!node || !(node->principal = strdup(principal)))
        abort();
    HASH_ADD_KEYPTR(hh, s->grantees, node->principal, strlen(node->principal), node);
    return node;
}

static struct grant_bucket *find_bucket(const struct grantee *node, uint64_t anchor)
{
    struct grant_bucket *b;
    HASH_FIND(hh, node->anchors, &anchor, sizeof anchor, b);
    return b;
}

// The bucket of the pair that fewest grants hang under.
static struct grant_bucket *choose_bucket(struct grantee *node, const struct grant *g)
{
    if (g->constraint == GRANT_UNCONSTRAINED || g->context.n == 0)
        return &node->open;
    struct grant_bucket *best = NULL;
    uint64_t best_anchor = 0;
    size_t best_n = SIZE_MAX;
    for (size_t i = 0; i < g->context.n; i++) {
        uint64_t anchor = anchor_of(&g->context.v[i]);
        struct grant_bucket *b = find_bucket(node, anchor);
        size_t n = b ? b->n : 0;
        if (n < best_n) {
            best = b;
            best_anchor = anchor;
            best_n = n;
        }
    }
    if (best)
        return best;
    best = calloc(1, sizeof *best);
    if (!best)
        abort();
    best->anchor = best_anchor;
    HASH_ADD(hh, node->anchors, anchor, sizeof best->anchor, best);
    return best;
}

static void link_grant(struct grantee *node, struct grant *g)
{
    g->node = node;
    g->node_prev = NULL;
    g->node_next = node->first;
    if (node->first)
        node->first->node_prev = g;
    node->first = g;
    node->n++;
    g->bucket = choose_bucket(node, g);
    g->bucket_prev = NULL;
    g->bucket_next = g->bucket->first;
    if (g->bucket_next)
        g->bucket_next->bucket_prev = g;
    g->bucket->first = g;
    g->bucket->n++;
    for (int i = 0; i < GRANT_OPERATIONS; i++)
        node->with_operation[i] += g->operations >> i & 1;
}

static void unlink_from_bucket(struct grantee *node, struct grant *g)
{
    struct grant_bucket *b = g->bucket;
    if (g->bucket_prev)
        g->bucket_prev->bucket_next = g->bucket_next;
    else
        b->first = g->bucket_next;
    if (g->bucket_next)
        g->bucket_next->bucket_prev = g->bucket_prev;
    if (--b->n == 0 && b != &node->open) {
        HASH_DEL(node->anchors, b);
        free(b);
    }
}

static void unlink_grant(struct grant_set *s, struct grant *g)
{
    struct grantee *node = g->node;
    unlink_from_bucket(node, g);
    if (g->node_prev)
        g->node_prev->node_next = g->node_next;
    else
        node->first = g->node_next;
    if (g->node_next)
        g->node_next->node_prev = g->node_prev;
    for (int i = 0; i < GRANT_OPERATIONS; i++)
        node->with_operation[i] -= g->operations >> i & 1;
    if (--node->n == 0) {
        HASH_DEL(s->grantees, node);
        free(node->principal);
        free(node);
    }
}

void grant_set_add(struct grant_set *s, struct grant *g)
{
    ptr_vec_insert(&s->by_id, g->id, g, id_cmp);
    link_grant(make_grantee(s, g->grantee), g);
    if (g->name) {
        struct grant *same = grant_set_same(s, g);
        if (!same)
            HASH_ADD(hh, s->named, fingerprint, sizeof g->fingerprint, g);
    }
}

void grant_set_remove(struct grant_set *s, struct grant *g)
{
    ptr_vec_remove(&s->by_id, g->id, id_cmp);
    if (grant_set_same(s, g) == g)
        HASH_DEL(s->named, g);
    unlink_grant(s, g);
    grant_free(g);
}

void grant_set_done(struct grant_set *s)
{
    while (s->by_id.n > 0)
        grant_set_remove(s, s->by_id.v[s->by_id.n - 1]);
    ptr_vec_done(&s->by_id);
}

struct grant *grant_set_find(const struct grant_set *s, const unsigned char id[GRANT_ID_SIZE])
{
    return ptr_vec_find(&s->by_id, id, id_cmp);
}

struct grant *grant_set_same(const struct grant_set *s, const struct grant *g)
{
    struct grant *same;
    if (!g->name)
        return NULL;
    HASH_FIND(hh, s->named, g->fingerprint, sizeof g->fingerprint, same);
    return same;
}

size_t grant_set_after(const struct grant_set *s, const unsigned char *after)
{
    bool found = false;
    size_t at = after ? ptr_vec_seek(&s->by_id, after, id_cmp, &found) : 0;
    return found ? at + 1 : at;
}

static const struct grant *search_bucket(const struct grant_bucket *b, enum grant_operation operation,
                                         bool (*visit)(void *arg, const struct grant *g), void *arg)
{
    for (const struct grant *g = b ? b->first : NULL; g; g = g->bucket_next)
        if ((g->operations & GRANT_BIT(operation)) && visit(arg, g))
            return g;
    return NULL;
}

const struct grant *grant_set_search(const struct grant_set *s, const char *principal, enum grant_operation operation,
                                     const struct str_map *context, bool (*visit)(void *arg, const struct grant *g),
                                     void *arg)
{
    const struct grantee *node = find_grantee(s, principal);
    if (!node || node->with_operation[operation] == 0)
        return NULL;
    if (!context) {
        for (const struct grant *g = node->first; g; g = g->node_next)
            if ((g->operations & GRANT_BIT(operation)) && visit(arg, g))
                return g;
        return NULL;
    }
    const struct grant *found = search_bucket(&node->open, operation, visit, arg);
    for (size_t i = 0; !found && i < context->n; i++)
        found = search_bucket(find_bucket(node, anchor_of(&context->v[i])), operation, visit, arg);
    return found;
}
