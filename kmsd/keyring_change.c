// Every kind of change to the keyring, one function each: memory first, then the store's pending list, in the order in
// which the write lock was held. Called by the operations, the jobs and the seed.
#include <stdio.h>

#include "common/base/encode.h"
#include "common/base/ids.h"
#include "kmsd/arn.h"
#include "kmsd/keyring_internal.h"
#include "kmsd/record.h"

// Policy, description and fifty tags of the largest sizes stay far below.
#define RECORD_MAX (1024 * 1024)

void keyring_save_key(struct keyring *k, struct key *key)
{
    struct buf b;
    buf_init(&b, RECORD_MAX);
    key_encode(key, k->root, &b);
    if (!buf_ok(&b))
        abort();
    store_put(k->store, TABLE_KEYS, span_of(key->arn), buf_span(&b));
    buf_wipe(&b);
    keyring_note_dates(k, key);
    key->as_seeded = false;
}

struct key *keyring_create_key(struct keyring *k, struct key_draft *draft)
{
    char id[KEY_ID_SIZE] = "mrk-";
    if (draft->multi_region == SINGLE_REGION)
        id_uuid(k->rng, id);
    else
        id_hex(k->rng, 16, id + 4);
    struct key *key = key_new(draft->account, span_of(draft->region), id);
    key->spec = draft->spec;
    key->usage = draft->usage;
    key->origin = draft->origin;
    key->multi_region = draft->multi_region;
    key->policy = draft->policy;
    key->created_ns = draft->now_ns;
    key->key_store = draft->key_store;
    key_set_text(&key->key_store_id, span_of(draft->key_store ? draft->key_store->id : NULL));
    key_set_text(&key->xks_key_id, draft->xks_key_id);
    if (draft->material.n > 0)
        key_add_material(key, k->rng, &draft->material, MATERIAL_CURRENT, draft->now_ns);
    else if (draft->origin == ORIGIN_EXTERNAL)
        key->state = KEY_PENDING_IMPORT;
    keyring_add_key(k, key);
    return key;
}

void keyring_add_key(struct keyring *k, struct key *key)
{
    keyring_link_key(k, key);
    if (key->origin == ORIGIN_AWS_CLOUDHSM)
        keyring_put_cluster_key(k, key);
    keyring_save_key(k, key);
}

struct key_material *keyring_add_material(struct keyring *k, struct key *key, struct secret *bytes,
                                          enum material_state state, int64_t now_ns)
{
    struct key_material *m = key_add_material(key, k->rng, bytes, state, now_ns);
    keyring_link_material(k, m);
    return m;
}

void keyring_set_policy(struct keyring *k, struct key *key, const struct key_policy *policy)
{
    policy_pool_put(k->policies, key->policy);
    key->policy = policy;
    keyring_save_key(k, key);
}

void keyring_schedule_deletion(struct keyring *k, struct key *key, int64_t at_ns)
{
    key->state = KEY_PENDING_DELETION;
    key->deletion_ns = at_ns;
    keyring_save_key(k, key);
}

void keyring_cancel_deletion(struct keyring *k, struct key *key)
{
    key->state = key_wants_material(key) ? KEY_PENDING_IMPORT : KEY_DISABLED;
    key->deletion_ns = 0;
    keyring_save_key(k, key);
}

// A ciphertext of a deleted key can still be told from garbage. Related keys go on with material of their own.
static void bury_materials(struct keyring *k, struct key *key)
{
    for (size_t i = 0; i < key->materials_n; i++) {
        struct key_material *m = key->materials[i];
        keyring_unlink_material(k, m);
        if (keyring_material(k, m->backing_id, key->region)) {
            material_free(m);
            continue;
        }
        keyring_link_material(k, m);
        store_put(k->store, TABLE_DELETED, (struct span){(char *)m->backing_id, BACKING_ID_SIZE}, span_of(key->arn));
        if (key->origin == ORIGIN_AWS_CLOUDHSM)
            keyring_delete_cluster_key(k, m);
        material_wipe(m);
        key_set_text(&m->description, (struct span){NULL, 0});
        m->key = NULL;
    }
    key->materials_n = 0;
}

static int same_key_id(const void *id, const void *key)
{
    return span_cmp(*(const struct span *)id, span_of(((const struct key *)key)->id));
}

void keyring_delete_key(struct keyring *k, struct key *key)
{
    struct span id = span_of(key->id);
    while (key->aliases.n > 0)
        keyring_delete_alias(k, key->aliases.v[key->aliases.n - 1]);
    while (key->grants.by_id.n > 0)
        keyring_remove_grant(k, key->grants.by_id.v[key->grants.by_id.n - 1]);
    bury_materials(k, key);
    if (key->key_store)
        key_store_remove_key(key->key_store, key);
    keyring_unlink_family(k, key);
    HASH_DEL(k->keys, key);
    ptr_vec_remove(&keyring_make_realm(k, key->account, key->region)->keys, &id, same_key_id);
    store_delete(k->store, TABLE_KEYS, span_of(key->arn));
    if (key->last_use)
        store_delete(k->store, TABLE_USES, span_of(key->arn));
    key_free(key, k->policies);
}

static void save_alias(struct keyring *k, const struct alias *a)
{
    struct buf b;
    buf_init(&b, RECORD_MAX);
    record_put_u8(&b, 1);
    record_put_text(&b, a->key->arn);
    record_put_i64(&b, a->created_ns);
    record_put_i64(&b, a->updated_ns);
    if (!buf_ok(&b))
        abort();
    store_put(k->store, TABLE_ALIASES, span_of(a->arn), buf_span(&b));
    buf_done(&b);
}

void keyring_create_alias(struct keyring *k, struct key *key, struct span name, int64_t now_ns)
{
    char arn[KMS_ARN_SIZE];
    if (!arn_write(arn, span_of(key->region), key->account, name))
        abort();
    char *owned = strdup(arn);
    if (!owned)
        abort();
    key->as_seeded = false;
    save_alias(k, keyring_link_alias(k, owned, key, now_ns, now_ns));
}

void keyring_move_alias(struct keyring *k, struct alias *a, struct key *key, int64_t now_ns)
{
    char *arn = strdup(a->arn);
    int64_t created_ns = a->created_ns;
    if (!arn)
        abort();
    a->key->as_seeded = key->as_seeded = false;
    keyring_unlink_alias(k, a);
    save_alias(k, keyring_link_alias(k, arn, key, created_ns, now_ns));
}

void keyring_delete_alias(struct keyring *k, struct alias *a)
{
    a->key->as_seeded = false;
    store_delete(k->store, TABLE_ALIASES, span_of(a->arn));
    keyring_unlink_alias(k, a);
}

struct span keyring_grant_name(const struct key *key, const char *id_hex, char name[KMS_ARN_SIZE + 66])
{
    int n = snprintf(name, KMS_ARN_SIZE + 66, "%s/%s", key->arn, id_hex);
    return (struct span){name, (size_t)n};
}

void keyring_create_grant(struct keyring *k, struct key *key, struct grant *g)
{
    rng_id(k->rng, g->id, sizeof g->id);
    keyring_add_grant(k, key, g);
}

void keyring_add_grant(struct keyring *k, struct key *key, struct grant *g)
{
    char name[KMS_ARN_SIZE + 66];
    struct buf b;
    key->as_seeded = false;
    hex_encode(g->id, sizeof g->id, g->id_hex);
    keyring_link_grant(k, key, g);
    buf_init(&b, RECORD_MAX);
    grant_encode(g, &b);
    if (!buf_ok(&b))
        abort();
    store_put(k->store, TABLE_GRANTS, keyring_grant_name(key, g->id_hex, name), buf_span(&b));
    buf_done(&b);
}

void keyring_remove_grant(struct keyring *k, struct grant *g)
{
    char name[KMS_ARN_SIZE + 66];
    g->key->as_seeded = false;
    store_delete(k->store, TABLE_GRANTS, keyring_grant_name(g->key, g->id_hex, name));
    keyring_unlink_grant(k, g);
}
