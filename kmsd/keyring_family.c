// Multi-Region keys in the keyring: who is related, and the changes that concern more than one Region's key. What they
// write lands in the store's pending list together, under one write lock, so that a kill leaves all of it or nothing.
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "kmsd/arn.h"
#include "kmsd/keyring_internal.h"

// What the ARNs of related keys have in common.
static struct span family_name(const char *key_arn, char name[KMS_ARN_SIZE])
{
    struct arn arn;
    if (!arn_parse(span_of(key_arn), &arn))
        abort();
    int n = snprintf(name, KMS_ARN_SIZE, "%.*s:%.*s:%.*s", (int)arn.partition.n, arn.partition.p, (int)arn.account.n,
                     arn.account.p, (int)arn.resource.n, arn.resource.p);
    return (struct span){name, (size_t)n};
}

const struct key_family *keyring_family(const struct keyring *k, const char *key_arn)
{
    char text[KMS_ARN_SIZE];
    struct span name = family_name(key_arn, text);
    struct key_family *f;
    HASH_FIND(hh, k->families, name.p, name.n, f);
    return f;
}

void keyring_link_family(struct keyring *k, struct key *key)
{
    char text[KMS_ARN_SIZE];
    struct span name = family_name(key->arn, text);
    struct key_family *f;
    HASH_FIND(hh, k->families, name.p, name.n, f);
    if (!f) {
        f = key_family_new(name);
        HASH_ADD_KEYPTR(hh, k->families, f->name, name.n, f);
    }
    key_family_add(f, key);
}

void keyring_unlink_family(struct keyring *k, struct key *key)
{
    struct key_family *f = key->family;
    if (!f)
        return;
    key_family_remove(f, key);
    if (f->members.n > 0)
        return;
    HASH_DEL(k->families, f);
    key_family_free(f);
}

// Imported material is not copied: every Region has to import it.
static void add_material(struct keyring *k, struct key *replica, const struct key_material *from)
{
    struct secret bytes = {0};
    if (replica->origin != ORIGIN_EXTERNAL && !secret_copy(&bytes, from->bytes.p, from->bytes.n))
        abort();
    struct key_material *m = key_add_material(replica, k->rng, &bytes, from->state, from->created_ns);
    memcpy(m->backing_id, from->backing_id, sizeof m->backing_id);
    memcpy(m->material_id, from->material_id, sizeof m->material_id);
    keyring_link_material(k, m);
}

// Both have the same materials in the same order, but for new ones at the end.
static void share_materials(struct keyring *k, const struct key *primary, struct key *replica)
{
    for (size_t i = replica->materials_n; i < primary->materials_n; i++)
        add_material(k, replica, primary->materials[i]);
    for (size_t i = 0; i < primary->materials_n; i++) {
        const struct key_material *from = primary->materials[i];
        struct key_material *m = replica->materials[i];
        m->state = from->state;
        m->rotation = from->rotation;
        m->rotated_ns = from->rotated_ns;
    }
}

static void share(struct keyring *k, const struct key *primary, struct key *replica)
{
    replica->rotates = primary->rotates;
    replica->rotation_days = primary->rotation_days;
    replica->next_rotation_ns = primary->next_rotation_ns;
    replica->on_demand_rotations = primary->on_demand_rotations;
    replica->on_demand_ns = primary->on_demand_ns;
    share_materials(k, primary, replica);
}

void keyring_share_key(struct keyring *k, struct key *key)
{
    keyring_save_key(k, key);
    if (!key_has_replicas(key))
        return;
    for (size_t i = 0; i < key->family->members.n; i++) {
        struct key *replica = key->family->members.v[i];
        if (replica == key)
            continue;
        share(k, key, replica);
        keyring_save_key(k, replica);
    }
}

struct key *keyring_create_replica(struct keyring *k, const struct key *primary, const char *region,
                                   const struct key_policy *policy, int64_t now_ns)
{
    struct key *key = key_new(primary->account, span_of(region), primary->id);
    key->spec = primary->spec;
    key->usage = primary->usage;
    key->origin = primary->origin;
    key->multi_region = MULTI_REGION_REPLICA;
    key->state = KEY_CREATING;
    key->policy = policy;
    key->created_ns = now_ns;
    keyring_link_key(k, key);
    share(k, primary, key);
    if (key->origin == ORIGIN_EXTERNAL)
        keyring_share_pending(k, key->family);
    return key;
}

void keyring_move_primary(struct keyring *k, struct key *replica)
{
    struct key_family *f = replica->family;
    struct key *before = f->primary;
    before->multi_region = MULTI_REGION_REPLICA;
    replica->multi_region = MULTI_REGION_PRIMARY;
    f->primary = replica;
    keyring_save_key(k, before);
    keyring_save_key(k, replica);
}

void keyring_schedule_after_replicas(struct keyring *k, struct key *primary, uint32_t days)
{
    primary->state = KEY_PENDING_REPLICA_DELETION;
    primary->deletion_days = days;
    keyring_save_key(k, primary);
}

void keyring_replica_is_gone(struct keyring *k, struct key_family *family, int64_t now_ns)
{
    struct key *primary = family->primary;
    if (primary->origin == ORIGIN_EXTERNAL)
        keyring_share_pending(k, family);
    if (primary->state == KEY_PENDING_REPLICA_DELETION && !key_has_replicas(primary))
        keyring_schedule_deletion(k, primary, clock_days_after(now_ns, primary->deletion_days));
}
