// The keyring in memory: its indexes and how to find things in them. Changes are keyring_change.c's, the start is
// keyring_load.c's.
#include <stdio.h>

#include "kmsd/keyring_internal.h"

const char *const keyring_tables[] = {TABLE_META,   TABLE_KEYS,       TABLE_ALIASES,      TABLE_GRANTS, TABLE_DELETED,
                                      TABLE_SEEDED, TABLE_KEY_STORES, TABLE_CLUSTER_KEYS, TABLE_USES,   NULL};

void keyring_read_lock(struct keyring *k)
{
    pthread_rwlock_rdlock(&k->lock);
}

void keyring_write_lock(struct keyring *k)
{
    store_hold(k->store);
    pthread_rwlock_wrlock(&k->lock);
}

void keyring_write_unlock(struct keyring *k)
{
    pthread_rwlock_unlock(&k->lock);
    store_release(k->store);
}

void keyring_unlock(struct keyring *k)
{
    pthread_rwlock_unlock(&k->lock);
}

const struct root_key *keyring_root(const struct keyring *k)
{
    return k->root;
}

enum context_case keyring_context_case(const struct keyring *k)
{
    return k->context_case;
}

struct policy_pool *keyring_policies(struct keyring *k)
{
    return k->policies;
}

struct keyring_counts keyring_count(const struct keyring *k)
{
    return (struct keyring_counts){HASH_COUNT(k->keys), HASH_COUNT(k->aliases), HASH_CNT(hh_id, k->grants)};
}

struct key *keyring_key(const struct keyring *k, struct span arn)
{
    struct key *key;
    HASH_FIND(hh, k->keys, arn.p, arn.n, key);
    return key;
}

struct alias *keyring_alias(const struct keyring *k, struct span arn)
{
    struct alias *a;
    HASH_FIND(hh, k->aliases, arn.p, arn.n, a);
    return a;
}

static struct key_material *first_material(const struct keyring *k, const unsigned char backing_id[BACKING_ID_SIZE])
{
    struct key_material *m;
    HASH_FIND(hh, k->materials, backing_id, BACKING_ID_SIZE, m);
    return m;
}

const struct key_material *keyring_material(const struct keyring *k, const unsigned char backing_id[BACKING_ID_SIZE],
                                            const char *region)
{
    struct key_material *first = first_material(k, backing_id);
    for (struct key_material *m = first; m && m->key; m = m->peer)
        if (strcmp(m->key->region, region) == 0)
            return m;
    return first;
}

struct grant *keyring_grant(const struct keyring *k, const unsigned char id[GRANT_ID_SIZE])
{
    struct grant *g;
    HASH_FIND(hh_id, k->grants, id, GRANT_ID_SIZE, g);
    return g;
}

static struct realm_entry *find_realm(const struct keyring *k, const char *account, const char *region,
                                      char name[REALM_NAME_SIZE])
{
    struct realm_entry *e;
    snprintf(name, REALM_NAME_SIZE, "%s/%s", account, region);
    HASH_FIND_STR(k->realms, name, e);
    return e;
}

const struct realm *keyring_realm(const struct keyring *k, const char *account, const char *region)
{
    char name[REALM_NAME_SIZE];
    struct realm_entry *e = find_realm(k, account, region, name);
    return e ? &e->realm : NULL;
}

struct realm *keyring_make_realm(struct keyring *k, const char *account, const char *region)
{
    char name[REALM_NAME_SIZE];
    struct realm_entry *e = find_realm(k, account, region, name);
    if (e)
        return &e->realm;
    e = calloc(1, sizeof *e);
    if (!e)
        abort();
    memcpy(e->name, name, sizeof name);
    HASH_ADD_STR(k->realms, name, e);
    return &e->realm;
}

static int key_id_cmp(const void *id, const void *key)
{
    return span_cmp(*(const struct span *)id, span_of(((const struct key *)key)->id));
}

static int alias_name_cmp(const void *name, const void *alias)
{
    return span_cmp(*(const struct span *)name, span_of(((const struct alias *)alias)->name));
}

static size_t after(const struct ptr_vec *v, struct span name, int (*cmp)(const void *key, const void *element))
{
    bool found;
    size_t at = ptr_vec_seek(v, &name, cmp, &found);
    return found ? at + 1 : at;
}

size_t realm_key_after(const struct realm *r, struct span id)
{
    return after(&r->keys, id, key_id_cmp);
}

size_t realm_alias_after(const struct realm *r, struct span name)
{
    return after(&r->aliases, name, alias_name_cmp);
}

size_t key_alias_after(const struct key *key, struct span name)
{
    return after(&key->aliases, name, alias_name_cmp);
}

void keyring_link_material(struct keyring *k, struct key_material *m)
{
    struct key_material *first = first_material(k, m->backing_id);
    if (first) {
        m->peer = first->peer;
        first->peer = m;
    } else {
        HASH_ADD(hh, k->materials, backing_id, BACKING_ID_SIZE, m);
    }
}

void keyring_unlink_material(struct keyring *k, struct key_material *m)
{
    struct key_material *first = first_material(k, m->backing_id), *next = m->peer;
    m->peer = NULL;
    if (first == m) {
        HASH_DEL(k->materials, m);
        if (next)
            HASH_ADD(hh, k->materials, backing_id, BACKING_ID_SIZE, next);
        return;
    }
    while (first->peer != m)
        first = first->peer;
    first->peer = next;
}

void keyring_link_key(struct keyring *k, struct key *key)
{
    struct span id = span_of(key->id);
    HASH_ADD_KEYPTR(hh, k->keys, key->arn, strlen(key->arn), key);
    ptr_vec_insert(&keyring_make_realm(k, key->account, key->region)->keys, &id, key, key_id_cmp);
    if (key->key_store)
        key_store_add_key(key->key_store, key);
    for (size_t i = 0; i < key->materials_n; i++)
        keyring_link_material(k, key->materials[i]);
    if (key->multi_region != SINGLE_REGION)
        keyring_link_family(k, key);
    keyring_note_dates(k, key);
}

struct alias *keyring_link_alias(struct keyring *k, char *arn, struct key *key, int64_t created_ns, int64_t updated_ns)
{
    struct alias *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    *a = (struct alias){.arn = arn, .name = strstr(arn, ":alias/") + 1, .key = key};
    a->created_ns = created_ns;
    a->updated_ns = updated_ns;
    struct span name = span_of(a->name);
    HASH_ADD_KEYPTR(hh, k->aliases, a->arn, strlen(a->arn), a);
    ptr_vec_insert(&keyring_make_realm(k, key->account, key->region)->aliases, &name, a, alias_name_cmp);
    ptr_vec_insert(&key->aliases, &name, a, alias_name_cmp);
    return a;
}

void keyring_unlink_alias(struct keyring *k, struct alias *a)
{
    struct span name = span_of(a->name);
    HASH_DEL(k->aliases, a);
    ptr_vec_remove(&keyring_make_realm(k, a->key->account, a->key->region)->aliases, &name, alias_name_cmp);
    ptr_vec_remove(&a->key->aliases, &name, alias_name_cmp);
    free(a->arn);
    free(a);
}

// ---- grants by retiring principal ----

struct retirable_place {
    const char *arn;
    const unsigned char *id;
};

static int retirable_cmp(const void *place, const void *element)
{
    const struct retirable_place *p = place;
    const struct grant *g = element;
    int order = strcmp(p->arn, g->key->arn);
    return order ? order : memcmp(p->id, g->id, GRANT_ID_SIZE);
}

static struct retirer *find_retirer(const struct keyring *k, const char *region, const char *principal, char **name)
{
    struct retirer *r;
    if (asprintf(name, "%s/%s", region, principal) < 0)
        abort();
    HASH_FIND(hh, k->retirers, *name, strlen(*name), r);
    return r;
}

const struct ptr_vec *keyring_retirable(const struct keyring *k, const char *region, const char *principal)
{
    char *name;
    struct retirer *r = find_retirer(k, region, principal, &name);
    free(name);
    return r ? &r->grants : NULL;
}

size_t retirable_after(const struct ptr_vec *grants, const char *arn, const unsigned char id[GRANT_ID_SIZE])
{
    bool found;
    size_t at = ptr_vec_seek(grants, &(struct retirable_place){arn, id}, retirable_cmp, &found);
    return found ? at + 1 : at;
}

static void link_retirer(struct keyring *k, struct grant *g)
{
    char *name;
    struct retirer *r = find_retirer(k, g->key->region, g->retiring, &name);
    if (!r) {
        r = calloc(1, sizeof *r);
        if (!r)
            abort();
        r->name = name;
        HASH_ADD_KEYPTR(hh, k->retirers, r->name, strlen(r->name), r);
    } else {
        free(name);
    }
    ptr_vec_insert(&r->grants, &(struct retirable_place){g->key->arn, g->id}, g, retirable_cmp);
}

static void unlink_retirer(struct keyring *k, struct grant *g)
{
    char *name;
    struct retirer *r = find_retirer(k, g->key->region, g->retiring, &name);
    free(name);
    ptr_vec_remove(&r->grants, &(struct retirable_place){g->key->arn, g->id}, retirable_cmp);
    if (r->grants.n > 0)
        return;
    HASH_DEL(k->retirers, r);
    ptr_vec_done(&r->grants);
    free(r->name);
    free(r);
}

void keyring_link_grant(struct keyring *k, struct key *key, struct grant *g)
{
    g->key = key;
    grant_fingerprint(g, g->fingerprint);
    grant_set_add(&key->grants, g);
    if (g->retiring)
        link_retirer(k, g);
    HASH_ADD(hh_id, k->grants, id, GRANT_ID_SIZE, g);
}

void keyring_unlink_grant(struct keyring *k, struct grant *g)
{
    if (g->retiring)
        unlink_retirer(k, g);
    HASH_DELETE(hh_id, k->grants, g);
    grant_set_remove(&g->key->grants, g);
}
