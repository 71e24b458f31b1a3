// Index of a key's grants. Filled by keyring.c, asked by authz.c and op_grant.c.
#include "kmsd/grant_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/fnv.h"
#include "kmsd/hash.h"

// Grants that are looked for by one pair of a context.
struct grant_bucket {
    uint64_t anchor;
    struct grant *first;
    size_t n;
    UT_hash_handle hh;
};

// A grantee's grants with the same operations and the same SourceArn, or none.
struct grant_pile {
    struct grant_kind *kind;
    char *source_arn; // NULL: none
    struct grant *first;
    struct grant_bucket open;     // grants without a context constraint
    struct grant_bucket *anchors; // hash by anchor
    UT_hash_handle hh;
};

// A grantee's grants with the same operations.
struct grant_kind {
    struct grantee *grantee;
    uint32_t operations;
    struct grant_pile plain;    // without a SourceArn
    struct grant_pile *sources; // hash by SourceArn
    UT_hash_handle hh;
};

struct grantee {
    char *principal;
    struct grant_kind *kinds; // hash by operations
    UT_hash_handle hh;
};

static int id_cmp(const void *key, const void *element)
{
    return memcmp(key, ((const struct grant *)element)->id, GRANT_ID_SIZE);
}

// Over key (lower-cased, so that both case rules find it) and value. Collisions only cost a look.
static uint64_t anchor_of(const struct str_pair *pair)
{
    uint64_t h = FNV_START;
    for (size_t i = 0; i < pair->key.n; i++) {
        unsigned char c = (unsigned char)pair->key.p[i];
        h = fnv_byte(h, c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c);
    }
    return fnv_span(fnv_byte(h, 0), pair->value);
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

static struct grant_kind *make_kind(struct grantee *node, uint32_t operations)
{
    struct grant_kind *kind;
    HASH_FIND(hh, node->kinds, &operations, sizeof operations, kind);
    if (kind)
        return kind;
    kind = calloc(1, sizeof *kind);
    if (!kind)
        abort();
    kind->grantee = node;
    kind->operations = operations;
    kind->plain.kind = kind;
    HASH_ADD(hh, node->kinds, operations, sizeof kind->operations, kind);
    return kind;
}

static struct grant_pile *find_pile(const struct grant_kind *kind, const char *source_arn)
{
    struct grant_pile *pile;
    HASH_FIND_STR(kind->sources, source_arn, pile);
    return pile;
}

static struct grant_pile *make_pile(struct grant_kind *kind, const char *source_arn)
{
    if (!source_arn)
        return &kind->plain;
    struct grant_pile *pile = find_pile(kind, source_arn);
    if (pile)
        return pile;
    pile = calloc(1, sizeof *pile);
    if (!pile || !(pile->source_arn = strdup(source_arn)))
        abort();
    pile->kind = kind;
    HASH_ADD_KEYPTR(hh, kind->sources, pile->source_arn, strlen(pile->source_arn), pile);
    return pile;
}

static struct grant_bucket *find_bucket(const struct grant_pile *pile, uint64_t anchor)
{
    struct grant_bucket *b;
    HASH_FIND(hh, pile->anchors, &anchor, sizeof anchor, b);
    return b;
}

// The bucket of the pair that fewest grants hang under.
static struct grant_bucket *choose_bucket(struct grant_pile *pile, const struct grant *g)
{
    if (g->constraint == GRANT_UNCONSTRAINED || g->context.n == 0)
        return &pile->open;
    struct grant_bucket *best = NULL;
    uint64_t best_anchor = 0;
    size_t best_n = SIZE_MAX;
    for (size_t i = 0; i < g->context.n; i++) {
        uint64_t anchor = anchor_of(&g->context.v[i]);
        struct grant_bucket *b = find_bucket(pile, anchor);
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
    HASH_ADD(hh, pile->anchors, anchor, sizeof best->anchor, best);
    return best;
}

static void link_grant(struct grant_pile *pile, struct grant *g)
{
    g->pile = pile;
    g->pile_prev = NULL;
    g->pile_next = pile->first;
    if (pile->first)
        pile->first->pile_prev = g;
    pile->first = g;
    g->bucket = choose_bucket(pile, g);
    g->bucket_prev = NULL;
    g->bucket_next = g->bucket->first;
    if (g->bucket_next)
        g->bucket_next->bucket_prev = g;
    g->bucket->first = g;
    g->bucket->n++;
}

static void unlink_from_bucket(struct grant_pile *pile, struct grant *g)
{
    struct grant_bucket *b = g->bucket;
    if (g->bucket_prev)
        g->bucket_prev->bucket_next = g->bucket_next;
    else
        b->first = g->bucket_next;
    if (g->bucket_next)
        g->bucket_next->bucket_prev = g->bucket_prev;
    if (--b->n == 0 && b != &pile->open) {
        HASH_DEL(pile->anchors, b);
        free(b);
    }
}

// What holds no grant any more goes.
static void drop_pile(struct grant_set *s, struct grant_pile *pile)
{
    struct grant_kind *kind = pile->kind;
    struct grantee *node = kind->grantee;
    if (pile->source_arn) {
        HASH_DEL(kind->sources, pile);
        free(pile->source_arn);
        free(pile);
    }
    if (kind->plain.first || kind->sources)
        return;
    HASH_DEL(node->kinds, kind);
    free(kind);
    if (node->kinds)
        return;
    HASH_DEL(s->grantees, node);
    free(node->principal);
    free(node);
}

static void unlink_grant(struct grant_set *s, struct grant *g)
{
    struct grant_pile *pile = g->pile;
    unlink_from_bucket(pile, g);
    if (g->pile_prev)
        g->pile_prev->pile_next = g->pile_next;
    else
        pile->first = g->pile_next;
    if (g->pile_next)
        g->pile_next->pile_prev = g->pile_prev;
    if (!pile->first)
        drop_pile(s, pile);
}

void grant_set_add(struct grant_set *s, struct grant *g)
{
    ptr_vec_insert(&s->by_id, g->id, g, id_cmp);
    link_grant(make_pile(make_kind(make_grantee(s, g->grantee), g->operations), g->source_arn), g);
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

struct search {
    const struct grant_query *query;
    bool (*visit)(void *arg, const struct grant *g);
    void *arg;
};

static const struct grant *search_bucket(const struct search *x, const struct grant_bucket *b)
{
    for (const struct grant *g = b ? b->first : NULL; g; g = g->bucket_next)
        if (x->visit(x->arg, g))
            return g;
    return NULL;
}

static const struct grant *search_pile(const struct search *x, const struct grant_pile *pile)
{
    const struct str_map *context = x->query->context;
    if (!pile || !pile->first)
        return NULL;
    if (!context) {
        for (const struct grant *g = pile->first; g; g = g->pile_next)
            if (x->visit(x->arg, g))
                return g;
        return NULL;
    }
    const struct grant *found = search_bucket(x, &pile->open);
    for (size_t i = 0; !found && pile->anchors && i < context->n; i++)
        found = search_bucket(x, find_bucket(pile, anchor_of(&context->v[i])));
    return found;
}

const struct grant *grant_set_search(const struct grant_set *s, const struct grant_query *query,
                                     bool (*visit)(void *arg, const struct grant *g), void *arg)
{
    const struct search x = {query, visit, arg};
    const struct grantee *node = find_grantee(s, query->principal);
    const struct grant *found = NULL;
    for (const struct grant_kind *kind = node ? node->kinds : NULL; kind && !found; kind = kind->hh.next) {
        if (query->operations & ~kind->operations)
            continue;
        found = search_pile(&x, &kind->plain);
        if (!found && query->source_arn)
            found = search_pile(&x, find_pile(kind, query->source_arn));
    }
    return found;
}
