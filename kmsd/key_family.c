// Who is related to whom. What is done to related keys together is keyring_family.c's.
#include "kmsd/key_family.h"

#include "kmsd/key.h"

static int by_region(const void *region, const void *key)
{
    return span_cmp(*(const struct span *)region, span_of(((const struct key *)key)->region));
}

struct key *key_family_member(const struct key_family *f, struct span region)
{
    return f ? ptr_vec_find(&f->members, &region, by_region) : NULL;
}

bool key_has_replicas(const struct key *key)
{
    return key->family && key->family->primary == key && key->family->members.n > 1;
}

struct key_family *key_family_new(struct span name)
{
    struct key_family *f = calloc(1, sizeof *f);
    if (!f || !(f->name = strndup(name.p, name.n)))
        abort();
    return f;
}

void key_family_free(struct key_family *f)
{
    ptr_vec_done(&f->members);
    free(f->name);
    free(f);
}

void key_family_add(struct key_family *f, struct key *key)
{
    struct span region = span_of(key->region);
    ptr_vec_insert(&f->members, &region, key, by_region);
    if (key->multi_region == MULTI_REGION_PRIMARY)
        f->primary = key;
    key->family = f;
}

void key_family_remove(struct key_family *f, struct key *key)
{
    struct span region = span_of(key->region);
    ptr_vec_remove(&f->members, &region, by_region);
    if (f->primary == key)
        f->primary = NULL;
    key->family = NULL;
}
