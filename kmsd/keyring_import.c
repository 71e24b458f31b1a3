// Changes of imported key material. Called by op_import.c and the expiry job, under the write lock.
#include <string.h>

#include "kmsd/keyring_internal.h"

struct key_material *keyring_import_material(struct keyring *k, struct key *key, const char *material_id,
                                             struct secret *bytes, int64_t now_ns)
{
    enum material_state state = key->materials_n == 0 ? MATERIAL_CURRENT : MATERIAL_PENDING_ROTATION;
    struct key_material *m = keyring_add_material(k, key, bytes, state, now_ns);
    memcpy(m->material_id, material_id, KEY_MATERIAL_ID_SIZE);
    return m;
}

void keyring_restore_material(struct key_material *m, struct secret *bytes)
{
    material_wipe(m);
    secret_take(&m->bytes, bytes);
}

// Related keys have the same materials at the same places.
static bool is_everywhere(const struct key_family *f, size_t at)
{
    for (size_t i = 0; i < f->members.n; i++) {
        const struct key *key = f->members.v[i];
        if (at >= key->materials_n || key->materials[at]->bytes.n == 0)
            return false;
    }
    return true;
}

void keyring_share_pending(struct keyring *k, struct key_family *f)
{
    struct key *primary = f->primary;
    for (size_t i = 0; i < primary->materials_n; i++)
        if (!material_is_permanent(primary->materials[i]))
            primary->materials[i]->state =
                is_everywhere(f, i) ? MATERIAL_PENDING_ROTATION : MATERIAL_PENDING_MULTI_REGION_IMPORT_AND_ROTATION;
    keyring_share_key(k, primary);
}

static void save(struct keyring *k, struct key *key)
{
    keyring_save_key(k, key);
    if (key->family)
        keyring_share_pending(k, key->family);
}

void keyring_finish_import(struct keyring *k, struct key *key)
{
    if (key->state == KEY_PENDING_IMPORT && !key_wants_material(key))
        key->state = KEY_ENABLED;
    save(k, key);
}

static void forget(struct keyring *k, struct key *key, size_t at)
{
    struct key_material *m = key->materials[at];
    key->materials_n--;
    memmove(key->materials + at, key->materials + at + 1, (key->materials_n - at) * sizeof *key->materials);
    keyring_unlink_material(k, m);
    material_free(m);
}

// A primary key's is forgotten in all Regions.
static void forget_everywhere(struct keyring *k, struct key *key, const struct key_material *m)
{
    size_t at = 0;
    while (key->materials[at] != m)
        at++;
    if (!key->family) {
        forget(k, key, at);
        return;
    }
    for (size_t i = 0; i < key->family->members.n; i++)
        forget(k, key->family->members.v[i], at);
}

void keyring_delete_material(struct keyring *k, struct key_material *m)
{
    struct key *key = m->key;
    if (material_is_permanent(m) || key->multi_region == MULTI_REGION_REPLICA) {
        material_wipe(m);
        m->expires = false;
        m->valid_to_ns = 0;
    } else {
        forget_everywhere(k, key, m);
    }
    bool waits_for_deletion = key->state == KEY_PENDING_DELETION || key->state == KEY_PENDING_REPLICA_DELETION;
    if (!waits_for_deletion && key_wants_material(key))
        key->state = KEY_PENDING_IMPORT;
    save(k, key);
}
