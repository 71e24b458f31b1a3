// The keyring's start and end: root key, all records of the store, the check that both belong together.
#include <stdio.h>

#include "common/base/encode.h"
#include "kmsd/keyring_internal.h"
#include "kmsd/record.h"

#define ROOT_KEY_ID SPAN("root-key-id")

struct loading {
    struct keyring *k;
    char *why;
    size_t why_size;
    bool failed;
    struct key *key; // the one whose grants are being read
    unsigned char root_key_id[ROOT_KEY_ID_SIZE];
    bool has_root_key_id;
};

static bool stop(struct loading *l, const char *what, struct span name)
{
    snprintf(l->why, l->why_size, "the stored record of %s %.*s is damaged", what, (int)name.n, name.p);
    l->failed = true;
    return false;
}

static bool each_meta(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    if (span_eq(name, ROOT_KEY_ID) && value.n == ROOT_KEY_ID_SIZE) {
        memcpy(l->root_key_id, value.p, ROOT_KEY_ID_SIZE);
        l->has_root_key_id = true;
    }
    return true;
}

static bool each_key_store(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    struct key_store *s = key_store_decode(name, value, l->k->root);
    if (!s)
        return stop(l, "custom key store", name);
    keyring_link_key_store(l->k, s);
    return true;
}

static bool each_key(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    struct key *key = key_decode(name, value, l->k->root, l->k->policies, l->why, l->why_size);
    if (!key) {
        l->failed = true;
        return false;
    }
    if (key->key_store_id)
        key->key_store = keyring_key_store(l->k, span_of(key->key_store_id));
    keyring_link_key(l->k, key);
    return !key->key_store_id || key->key_store || stop(l, "the key store of key", name);
}

static bool each_cluster_key(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    return keyring_take_cluster_key(l->k, name, value) || stop(l, "key material in a cluster", (struct span){"", 0});
}

static bool each_alias(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    struct record_reader r = {.rest = value};
    uint8_t version = record_u8(&r);
    struct key *key = keyring_key(l->k, record_bytes(&r));
    int64_t created_ns = record_i64(&r), updated_ns = record_i64(&r);
    char *arn = strndup(name.p, name.n);
    if (!arn)
        abort();
    if (!record_done(&r) || version != 1 || !key || !strstr(arn, ":alias/")) {
        free(arn);
        return stop(l, "alias", name);
    }
    keyring_link_alias(l->k, arn, key, created_ns, updated_ns);
    return true;
}

// Records come in the order of their names, so the grants of one key follow one another.
static bool each_grant(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    if (name.n < 66)
        return stop(l, "grant", name);
    struct span arn = {name.p, name.n - 65}, id = {name.p + name.n - 64, 64};
    if (!l->key || !span_is(arn, l->key->arn))
        l->key = keyring_key(l->k, arn);
    struct grant *g = l->key ? grant_decode(value) : NULL;
    if (!g || !hex_decode(id, g->id, sizeof g->id)) {
        grant_free(g);
        return stop(l, "grant", name);
    }
    hex_encode(g->id, sizeof g->id, g->id_hex);
    keyring_link_grant(l->k, l->key, g);
    return true;
}

static bool each_deleted(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    (void)value;
    if (name.n != BACKING_ID_SIZE)
        return stop(l, "deleted key", value);
    struct key_material *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    memcpy(m->backing_id, name.p, BACKING_ID_SIZE);
    keyring_link_material(l->k, m);
    return true;
}

static bool each_seeded(void *arg, struct span name, struct span value)
{
    struct loading *l = arg;
    (void)value;
    keyring_link_seeded(l->k, name);
    return true;
}

// A family without its primary key could not be managed any more.
static bool families_are_whole(struct loading *l)
{
    for (const struct key_family *f = l->k->families; f; f = f->hh.next)
        if (!f->primary)
            return stop(l, "the primary key of", span_of(f->name));
    return true;
}

static bool scan(struct loading *l, const char *table, bool (*each)(void *arg, struct span name, struct span value))
{
    return store_scan(l->k->store, table, each, l, l->why, l->why_size) && !l->failed;
}

static bool open_root_key(struct loading *l, const char *path)
{
    l->k->root = root_key_open(path, !l->has_root_key_id, l->why, l->why_size);
    if (!l->k->root)
        return false;
    if (!l->has_root_key_id) {
        store_put(l->k->store, TABLE_META, ROOT_KEY_ID, (struct span){(char *)l->k->root->id, ROOT_KEY_ID_SIZE});
        return store_commit(l->k->store, l->why, l->why_size);
    }
    if (memcmp(l->k->root->id, l->root_key_id, ROOT_KEY_ID_SIZE) == 0)
        return true;
    snprintf(l->why, l->why_size, "root key file %s holds another root key than the one this state is sealed under",
             path);
    return false;
}

struct keyring *keyring_open(const struct keyring_options *o, char *why, size_t why_size)
{
    struct keyring *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    // Changes are rare and short: they must not wait for ever behind readers.
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&k->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&k->used_lock, NULL);
    k->store = o->store;
    k->rng = o->rng;
    k->context_case = o->context_case;
    k->policies = policy_pool_new();
    for (int i = 0; i < KEY_DATES; i++)
        k->next_ns[i] = INT64_MAX;
    struct loading l = {.k = k, .why = why, .why_size = why_size};
    if (scan(&l, TABLE_META, each_meta) && open_root_key(&l, o->root_key_path) &&
        scan(&l, TABLE_KEY_STORES, each_key_store) && scan(&l, TABLE_KEYS, each_key) && families_are_whole(&l) &&
        scan(&l, TABLE_CLUSTER_KEYS, each_cluster_key) && scan(&l, TABLE_ALIASES, each_alias) &&
        scan(&l, TABLE_GRANTS, each_grant) && scan(&l, TABLE_DELETED, each_deleted) &&
        scan(&l, TABLE_SEEDED, each_seeded))
        return k;
    keyring_close(k);
    return NULL;
}

static void free_key_stores(struct keyring *k)
{
    struct key_store *s, *next;
    HASH_ITER(hh, k->key_stores, s, next)
    {
        HASH_DEL(k->key_stores, s);
        key_store_free(s);
    }
}

static void free_keys(struct keyring *k)
{
    struct key *key, *next_key;
    struct key_material *m, *next_material;
    HASH_ITER(hh, k->materials, m, next_material)
    {
        HASH_DEL(k->materials, m);
        if (!m->key)
            material_free(m);
    }
    HASH_ITER(hh, k->keys, key, next_key)
    {
        keyring_unlink_family(k, key);
        while (key->grants.by_id.n > 0)
            keyring_unlink_grant(k, key->grants.by_id.v[key->grants.by_id.n - 1]);
        HASH_DEL(k->keys, key);
        key_free(key, k->policies);
    }
}

void keyring_close(struct keyring *k)
{
    struct alias *alias, *next_alias;
    struct realm_entry *realm, *next_realm;
    if (!k)
        return;
    HASH_ITER(hh, k->aliases, alias, next_alias)
    {
        keyring_unlink_alias(k, alias);
    }
    free_keys(k);
    keyring_forget_seeded(k);
    free_key_stores(k);
    HASH_ITER(hh, k->realms, realm, next_realm)
    {
        HASH_DEL(k->realms, realm);
        ptr_vec_done(&realm->realm.keys);
        ptr_vec_done(&realm->realm.aliases);
        ptr_vec_done(&realm->realm.key_stores);
        free(realm);
    }
    for (size_t i = 0; i < k->used.n; i++)
        free(k->used.v[i]);
    ptr_vec_done(&k->used);
    pthread_mutex_destroy(&k->used_lock);
    policy_pool_free(k->policies);
    root_key_free(k->root);
    pthread_rwlock_destroy(&k->lock);
    free(k);
}
