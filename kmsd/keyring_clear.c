// Back to what a seed made: what was made or changed since goes, in one pass over everything, because tens of thousands
// of keys may go; what is as it was made stays, because thousands may be.
#include <stdio.h>

#include "kmsd/arn.h"
#include "kmsd/keyring_internal.h"

// ---- what was made from a seed ----

bool keyring_was_seeded(const struct keyring *k, const char *arn)
{
    struct seeded *s;
    HASH_FIND_STR(k->seeded, arn, s);
    return s != NULL;
}

void keyring_link_seeded(struct keyring *k, struct span arn)
{
    struct seeded *s = calloc(1, sizeof *s);
    if (!s || !(s->arn = strndup(arn.p, arn.n)))
        abort();
    HASH_ADD_KEYPTR(hh, k->seeded, s->arn, arn.n, s);
}

void keyring_note_seeded(struct keyring *k, const char *arn)
{
    if (keyring_was_seeded(k, arn))
        return;
    keyring_link_seeded(k, span_of(arn));
    store_put(k->store, TABLE_SEEDED, span_of(arn), (struct span){"", 0});
}

void keyring_forget_seeded(struct keyring *k)
{
    struct seeded *s, *next;
    HASH_ITER(hh, k->seeded, s, next)
    {
        HASH_DEL(k->seeded, s);
        free(s->arn);
        free(s);
    }
}

// ---- clearing ----

static bool key_stays(const void *key)
{
    return ((const struct key *)key)->as_seeded;
}

static bool alias_stays(const void *alias)
{
    return ((const struct alias *)alias)->key->as_seeded;
}

static bool grant_stays(const void *grant)
{
    return ((const struct grant *)grant)->key->as_seeded;
}

static void keep(struct ptr_vec *v, bool (*stays)(const void *element))
{
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        if (stays(v->v[i]))
            v->v[n++] = v->v[i];
    v->n = n;
}

static void clear_lists(struct keyring *k)
{
    struct retirer *r, *next;
    for (struct realm_entry *e = k->realms; e; e = e->hh.next) {
        keep(&e->realm.keys, key_stays);
        keep(&e->realm.aliases, alias_stays);
    }
    HASH_ITER(hh, k->retirers, r, next)
    {
        keep(&r->grants, grant_stays);
        if (r->grants.n > 0)
            continue;
        HASH_DEL(k->retirers, r);
        ptr_vec_done(&r->grants);
        free(r->name);
        free(r);
    }
}

static void clear_aliases(struct keyring *k)
{
    struct alias *a, *next;
    HASH_ITER(hh, k->aliases, a, next)
    {
        if (alias_stays(a))
            continue;
        store_delete(k->store, TABLE_ALIASES, span_of(a->arn));
        HASH_DEL(k->aliases, a);
        free(a->arn);
        free(a);
    }
}

static void clear_key(struct keyring *k, struct key *key)
{
    char name[KMS_ARN_SIZE + 66];
    for (size_t i = 0; i < key->grants.by_id.n; i++) {
        struct grant *g = key->grants.by_id.v[i];
        store_delete(k->store, TABLE_GRANTS, keyring_grant_name(key, g->id_hex, name));
        HASH_DELETE(hh_id, k->grants, g);
    }
    for (size_t i = 0; i < key->materials_n; i++) {
        if (key->origin == ORIGIN_AWS_CLOUDHSM)
            keyring_delete_cluster_key(k, key->materials[i]);
        keyring_unlink_material(k, key->materials[i]);
    }
    keyring_unlink_family(k, key);
    store_delete(k->store, TABLE_KEYS, span_of(key->arn));
    if (key->last_use)
        store_delete(k->store, TABLE_USES, span_of(key->arn));
    HASH_DEL(k->keys, key);
    key_free(key, k->policies);
}

// The materials of deleted keys.
static void clear_deleted(struct keyring *k)
{
    struct key_material *m, *next;
    HASH_ITER(hh, k->materials, m, next)
    {
        if (m->key)
            continue;
        store_delete(k->store, TABLE_DELETED, (struct span){(char *)m->backing_id, BACKING_ID_SIZE});
        HASH_DEL(k->materials, m);
        material_free(m);
    }
}

void keyring_clear(struct keyring *k)
{
    struct key *key, *next;
    clear_lists(k);
    clear_aliases(k);
    HASH_ITER(hh, k->keys, key, next)
    {
        if (!key_stays(key))
            clear_key(k, key);
    }
    clear_deleted(k);
    while (k->key_stores) // no seed makes any
        keyring_delete_key_store(k, k->key_stores);
}
