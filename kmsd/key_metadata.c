// KeyMetadata: one walk over a key for the reply and for the trail, which spells names with a small first letter and
// dates as text. Source of members and of when they are there: AWS KMS API reference, KeyMetadata.
#include <ctype.h>
#include <stdio.h>

#include "common/base/time_format.h"
#include "kmsd/key.h"
#include "kmsd/key_family.h"
#include "kmsd/key_store.h"

const char *const key_origin_names[KEY_ORIGINS] = {
    [ORIGIN_AWS_KMS] = "AWS_KMS",
    [ORIGIN_EXTERNAL] = "EXTERNAL",
    [ORIGIN_AWS_CLOUDHSM] = "AWS_CLOUDHSM",
    [ORIGIN_EXTERNAL_KEY_STORE] = "EXTERNAL_KEY_STORE",
};

struct out {
    struct json_write *w;
    bool trail;
};

static void name(const struct out *o, const char *api_name)
{
    char text[64];
    snprintf(text, sizeof text, "%s", api_name);
    if (o->trail)
        text[0] = (char)tolower((unsigned char)text[0]);
    json_key(o->w, text);
}

static void text(const struct out *o, const char *api_name, const char *value)
{
    if (!value)
        return;
    name(o, api_name);
    json_cstr(o->w, value);
}

static void flag(const struct out *o, const char *api_name, bool value)
{
    name(o, api_name);
    json_bool(o->w, value);
}

static void date(const struct out *o, const char *api_name, int64_t ns)
{
    char java[TIME_JAVA_SIZE];
    name(o, api_name);
    if (o->trail) {
        time_java(ns, java);
        json_cstr(o->w, java);
    } else {
        json_epoch(o->w, ns);
    }
}

static void algorithms(const struct out *o, const struct key *key)
{
    static const char *const lists[KEY_USAGES] = {
        [USAGE_ENCRYPT_DECRYPT] = "EncryptionAlgorithms",
        [USAGE_SIGN_VERIFY] = "SigningAlgorithms",
        [USAGE_GENERATE_VERIFY_MAC] = "MacAlgorithms",
        [USAGE_KEY_AGREEMENT] = "KeyAgreementAlgorithms",
    };
    name(o, lists[key->usage]);
    json_arr_begin(o->w);
    for (const char *const *a = key->spec->algorithms[key->usage]; *a; a++)
        json_cstr(o->w, *a);
    json_arr_end(o->w);
}

static void deletion(const struct out *o, const struct key *key)
{
    if (key->state == KEY_PENDING_DELETION)
        date(o, "DeletionDate", key->deletion_ns);
}

// The first expiry of what belongs to the key for good and is there.
static void import(const struct out *o, const struct key *key)
{
    bool there = false;
    int64_t valid_to_ns = INT64_MAX;
    for (size_t i = 0; i < key->materials_n; i++) {
        const struct key_material *m = key->materials[i];
        if (m->bytes.n == 0 || !material_is_permanent(m))
            continue;
        there = true;
        if (m->expires && m->valid_to_ns < valid_to_ns)
            valid_to_ns = m->valid_to_ns;
    }
    if (key->origin != ORIGIN_EXTERNAL || !there)
        return;
    bool expires = valid_to_ns != INT64_MAX;
    if (expires)
        date(o, "ValidTo", valid_to_ns);
    text(o, "ExpirationModel", expires ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE");
}

static void related(const struct out *o, const struct key *key)
{
    json_obj_begin(o->w);
    text(o, "Arn", key->arn);
    text(o, "Region", key->region);
    json_obj_end(o->w);
}

static void family(const struct out *o, const struct key *key)
{
    const struct key_family *f = key->family;
    if (!f)
        return;
    name(o, "MultiRegionConfiguration");
    json_obj_begin(o->w);
    text(o, "MultiRegionKeyType", key == f->primary ? "PRIMARY" : "REPLICA");
    name(o, "PrimaryKey");
    related(o, f->primary);
    name(o, "ReplicaKeys");
    json_arr_begin(o->w);
    for (size_t i = 0; i < f->members.n; i++)
        if (f->members.v[i] != f->primary)
            related(o, f->members.v[i]);
    json_arr_end(o->w);
    json_obj_end(o->w);
}

static void xks(const struct out *o, const struct key *key)
{
    if (!key->xks_key_id)
        return;
    name(o, "XksKeyConfiguration");
    json_obj_begin(o->w);
    text(o, "Id", key->xks_key_id);
    json_obj_end(o->w);
}

static void write(const struct out *o, const struct key *key)
{
    const struct key_material *current = key_current(key);
    json_obj_begin(o->w);
    text(o, "AWSAccountId", key->account);
    text(o, "KeyId", key->id);
    text(o, "Arn", key->arn);
    date(o, "CreationDate", key->created_ns);
    flag(o, "Enabled", key_shown_state(key) == KEY_ENABLED);
    text(o, "Description", key->description);
    text(o, "KeyUsage", key_usage_names[key->usage]);
    text(o, "KeyState", key_state_names[key_shown_state(key)]);
    deletion(o, key);
    text(o, "Origin", key_origin_names[key->origin]);
    import(o, key);
    text(o, "CustomKeyStoreId", key->key_store_id);
    text(o, "CloudHsmClusterId", key->key_store ? key->key_store->cluster_id : NULL);
    text(o, "KeyManager", key->manager == KEY_MANAGER_AWS ? "AWS" : "CUSTOMER");
    text(o, "CustomerMasterKeySpec", key->spec->name);
    text(o, "KeySpec", key->spec->name);
    algorithms(o, key);
    flag(o, "MultiRegion", key->multi_region != SINGLE_REGION);
    family(o, key);
    if (key->state == KEY_PENDING_REPLICA_DELETION) {
        name(o, "PendingDeletionWindowInDays");
        json_i64(o->w, key->deletion_days);
    }
    xks(o, key);
    bool in_kms = key->origin == ORIGIN_AWS_KMS || key->origin == ORIGIN_EXTERNAL;
    if (current && key->spec->symmetric && in_kms && key->state != KEY_CREATING)
        text(o, "CurrentKeyMaterialId", current->material_id);
    json_obj_end(o->w);
}

void key_write_algorithms(const struct key *key, struct json_write *w)
{
    algorithms(&(struct out){.w = w}, key);
}

void key_write_metadata(const struct key *key, struct json_write *w)
{
    write(&(struct out){.w = w}, key);
}

void key_write_trail_metadata(const struct key *key, struct json_write *w)
{
    write(&(struct out){.w = w, .trail = true}, key);
}
