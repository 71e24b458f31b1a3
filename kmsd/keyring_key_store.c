// The keyring's custom key stores: finding and changing them, and the key material that lies in their clusters, apart
// from the keys' own records.
#include <stdio.h>

#include "common/base/ids.h"
#include "kmsd/arn.h"
#include "kmsd/keyring_internal.h"

#define RECORD_MAX (64 * 1024)

struct key_store *keyring_key_store(const struct keyring *k, struct span id)
{
    struct key_store *s;
    HASH_FIND(hh, k->key_stores, id.p, id.n, s);
    return s;
}

static int store_id_cmp(const void *id, const void *store)
{
    return span_cmp(*(const struct span *)id, span_of(((const struct key_store *)store)->id));
}

size_t realm_key_store_after(const struct realm *r, struct span id)
{
    bool found;
    size_t at = ptr_vec_seek(&r->key_stores, &id, store_id_cmp, &found);
    return found ? at + 1 : at;
}

void keyring_link_key_store(struct keyring *k, struct key_store *s)
{
    struct span id = span_of(s->id);
    HASH_ADD_STR(k->key_stores, id, s);
    ptr_vec_insert(&keyring_make_realm(k, s->account, s->region)->key_stores, &id, s, store_id_cmp);
}

// ---- changing ----

void keyring_save_key_store(struct keyring *k, const struct key_store *s)
{
    char name[KEY_STORE_RECORD_SIZE];
    struct buf b;
    buf_init(&b, RECORD_MAX);
    key_store_encode(s, k->root, &b);
    if (!buf_ok(&b))
        abort();
    store_put(k->store, TABLE_KEY_STORES, key_store_record_name(s, name), buf_span(&b));
    buf_wipe(&b);
}

void keyring_create_key_store(struct keyring *k, struct key_store *s)
{
    char hex[19];
    id_hex(k->rng, 9, hex);
    snprintf(s->id, sizeof s->id, "cks-%.17s", hex);
    keyring_link_key_store(k, s);
    keyring_save_key_store(k, s);
}

void keyring_delete_key_store(struct keyring *k, struct key_store *s)
{
    char name[KEY_STORE_RECORD_SIZE];
    struct span id = span_of(s->id);
    store_delete(k->store, TABLE_KEY_STORES, key_store_record_name(s, name));
    HASH_DEL(k->key_stores, s);
    ptr_vec_remove(&keyring_make_realm(k, s->account, s->region)->key_stores, &id, store_id_cmp);
    key_store_free(s);
}

// ---- connections ----

static bool is_changing(const struct key_store *s)
{
    return (s->state == STORE_CONNECTING && !s->asking) || s->state == STORE_DISCONNECTING;
}

int64_t keyring_next_connection(const struct keyring *k)
{
    int64_t next = INT64_MAX;
    for (const struct key_store *s = k->key_stores; s; s = s->hh.next)
        if (is_changing(s) && s->until_ns < next)
            next = s->until_ns;
    return next;
}

struct key_store *keyring_due_connection(const struct keyring *k, int64_t now_ns)
{
    for (struct key_store *s = k->key_stores; s; s = s->hh.next)
        if (is_changing(s) && s->until_ns <= now_ns)
            return s;
    return NULL;
}

// ---- key material in clusters ----

static struct span backing_id(const struct key_material *m)
{
    return (struct span){(const char *)m->backing_id, BACKING_ID_SIZE};
}

void keyring_put_cluster_key(struct keyring *k, const struct key *key)
{
    const struct key_material *m = key_current(key);
    struct buf sealed;
    buf_init(&sealed, 1024);
    root_key_seal(k->root, span_of(key->arn), secret_span(&m->bytes), &sealed);
    if (!buf_ok(&sealed))
        abort();
    store_put(k->store, TABLE_CLUSTER_KEYS, backing_id(m), buf_span(&sealed));
    buf_done(&sealed);
}

void keyring_delete_cluster_key(struct keyring *k, const struct key_material *m)
{
    store_delete(k->store, TABLE_CLUSTER_KEYS, backing_id(m));
}

bool keyring_take_cluster_key(struct keyring *k, struct span name, struct span sealed)
{
    struct key_material *m;
    HASH_FIND(hh, k->materials, name.p, name.n, m);
    return m && m->key && m->key->origin == ORIGIN_AWS_CLOUDHSM && m->bytes.n == 0 && sealed.n > ROOT_KEY_OVERHEAD &&
           secret_init(&m->bytes, sealed.n - ROOT_KEY_OVERHEAD) &&
           root_key_unseal(k->root, span_of(m->key->arn), sealed, m->bytes.p);
}
