// From a seed to keys and aliases in the keyring. Everything that can fail is asked before anything is made.
#include <stdio.h>
#include <stdlib.h>

#include "kmsd/key_type.h"
#include "kmsd/rotation.h"
#include "kmsd/seed.h"

struct making {
    struct keyring *k;
    struct rng *rng;
    int64_t now_ns;
    bool again;
};

// Of what is not there: is it to be?
static bool wanted(const struct making *m, const char *arn)
{
    return m->again || !keyring_was_seeded(m->k, arn);
}

static bool complete_key(struct seed *seed, struct seed_key *key)
{
    if (key->materials_n > 0 || key->origin != ORIGIN_AWS_KMS)
        return true;
    struct seed_material *m = arena_alloc(&seed->arena, sizeof *m);
    key->materials = m;
    key->materials_n = 1;
    return key->spec->type->make(key->spec, &m->bytes) &&
           material_ids(key->spec, key->id, secret_span(&m->bytes), m->backing_id, m->material_id);
}

bool seed_complete(struct seed *seed)
{
    for (size_t i = 0; i < seed->keys_n; i++)
        if (!complete_key(seed, &seed->keys[i]))
            return false;
    return true;
}

static bool prepare(struct seed *seed, struct seed_key *key, const struct keyring *k, char *why, size_t why_size)
{
    if (!complete_key(seed, key)) {
        snprintf(why, why_size, "material of KeySpec %s cannot be made", key->spec->name);
        return false;
    }
    const struct key_family *family = keyring_family(k, key->arn);
    if (family) {
        snprintf(why, why_size, "key %s of the seed has the id of %s", key->arn, family->primary->arn);
        return false;
    }
    for (size_t i = 0; i < key->materials_n; i++) {
        const struct key_material *same = keyring_material(k, key->materials[i].backing_id, key->region);
        if (!same)
            continue;
        snprintf(why, why_size, "key %s of the seed has the id and the material of %s", key->arn,
                 same->key ? same->key->arn : "a key that was deleted");
        return false;
    }
    return true;
}

static void add_materials(struct key *key, const struct seed_key *from, struct rng *rng)
{
    for (size_t i = 0; i < from->materials_n; i++) {
        const struct seed_material *given = &from->materials[i];
        enum material_state state = i + 1 == from->materials_n ? MATERIAL_CURRENT : MATERIAL_NON_CURRENT;
        struct secret bytes = {0};
        if (!secret_copy(&bytes, given->bytes.p, given->bytes.n))
            abort();
        struct key_material *m = key_add_material(key, rng, &bytes, state, key->created_ns);
        memcpy(m->backing_id, given->backing_id, sizeof m->backing_id);
        memcpy(m->material_id, given->material_id, sizeof m->material_id);
        if (i > 0) {
            m->rotation = ROTATION_AUTOMATIC;
            m->rotated_ns = key->created_ns;
        }
    }
}

static void add_grants(struct keyring *k, struct key *key, const struct seed_key *from)
{
    for (size_t i = 0; i < from->grants_n; i++) {
        struct grant *g = grant_decode(from->grants[i].record);
        if (!g)
            abort();
        memcpy(g->id, from->grants[i].id, sizeof g->id);
        g->created_ns = key->created_ns;
        keyring_add_grant(k, key, g);
    }
}

static enum key_state state_of(const struct seed_key *from)
{
    if (from->materials_n == 0)
        return KEY_PENDING_IMPORT;
    return from->disabled ? KEY_DISABLED : KEY_ENABLED;
}

static struct key *make_key(const struct making *m, const struct seed_key *from)
{
    char why[256];
    struct key *key = key_new(from->account, span_of(from->region), from->id);
    key->spec = from->spec;
    key->usage = from->usage;
    key->origin = from->origin;
    key->multi_region = from->multi_region ? MULTI_REGION_PRIMARY : SINGLE_REGION;
    key->state = state_of(from);
    key->created_ns = from->created_ns ? from->created_ns : m->now_ns;
    key->policy = policy_pool_get(keyring_policies(m->k), from->policy->text, why, sizeof why);
    key_set_description(key, from->description);
    for (size_t i = 0; i < from->tags_n; i++)
        key_set_tag(key, from->tags[i].key, from->tags[i].value);
    add_materials(key, from, m->rng);
    if (from->rotates)
        rotation_enable(key, from->rotation_days, m->now_ns);
    if (from->rotates && from->next_rotation_ns)
        key->next_rotation_ns = from->next_rotation_ns;
    keyring_add_key(m->k, key);
    add_grants(m->k, key, from);
    return key;
}

// Without its key, which was deleted since, an alias is not made either.
static void make_alias(const struct making *m, const struct seed_alias *a)
{
    struct key *key = keyring_key(m->k, span_of(a->key_arn));
    if (!key)
        return;
    bool as_seeded = key->as_seeded;
    keyring_create_alias(m->k, key, span_of(a->name), key->created_ns);
    key->as_seeded = as_seeded;
}

static bool prepare_all(const struct making *m, struct seed *seed, char *why, size_t why_size)
{
    for (size_t i = 0; i < seed->keys_n; i++) {
        struct seed_key *key = &seed->keys[i];
        if (!keyring_key(m->k, span_of(key->arn)) && wanted(m, key->arn) && !prepare(seed, key, m->k, why, why_size))
            return false;
    }
    return true;
}

bool seed_apply(struct seed *seed, struct keyring *k, struct rng *rng, int64_t now_ns, bool again, char *why,
                size_t why_size)
{
    const struct making m = {k, rng, now_ns, again};
    if (!prepare_all(&m, seed, why, why_size))
        return false;
    for (size_t i = 0; i < seed->keys_n; i++) {
        struct seed_key *from = &seed->keys[i];
        struct key *key = keyring_key(k, span_of(from->arn));
        if (!key && wanted(&m, from->arn)) {
            key = make_key(&m, from);
            key->as_seeded = true;
        }
        if (key)
            from->created_ns = key->created_ns;
    }
    for (size_t i = 0; i < seed->aliases_n; i++)
        if (!keyring_alias(k, span_of(seed->aliases[i].arn)) && wanted(&m, seed->aliases[i].arn))
            make_alias(&m, &seed->aliases[i]);
    for (size_t i = 0; i < seed->keys_n && !again; i++)
        keyring_note_seeded(k, seed->keys[i].arn);
    for (size_t i = 0; i < seed->aliases_n && !again; i++)
        keyring_note_seeded(k, seed->aliases[i].arn);
    return true;
}
