// A KMS key: its metadata, key material, policy, tags, aliases and grants. Keys belong to the keyring; everything here
// is read and changed under its lock.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_write.h"
#include "common/base/rng.h"
#include "common/base/secret.h"
#include "kmsd/ciphertext.h"
#include "kmsd/grant_set.h"
#include "kmsd/hash.h"
#include "kmsd/key_policy.h"
#include "kmsd/key_spec.h"
#include "kmsd/key_state.h"
#include "kmsd/ptr_vec.h"
#include "kmsd/root_key.h"

#define KEY_ID_SIZE 37 // a UUID and a terminator
#define KEY_MATERIAL_ID_SIZE 65

enum key_manager {
    KEY_MANAGER_CUSTOMER,
    KEY_MANAGER_AWS,
};

struct key;

// One version of a key's material. A ciphertext names it by its backing key id.
struct key_material {
    unsigned char backing_id[BACKING_ID_SIZE];
    char material_id[KEY_MATERIAL_ID_SIZE]; // KeyMaterialId of the API
    struct secret bytes;
    int64_t created_ns;
    struct key *key; // NULL: the key was deleted
    UT_hash_handle hh;
};

struct tag {
    char *key, *value;
};

struct key {
    char *arn;
    const char *id; // inside arn
    char account[13];
    char region[32];
    const struct key_spec *spec;
    enum key_usage usage;
    enum key_state state;
    enum key_manager manager;
    char *description;
    int64_t created_ns;
    int64_t deletion_ns; // of KEY_PENDING_DELETION
    const struct key_policy *policy;
    struct tag *tags; // by key
    size_t tags_n;
    struct key_material **materials; // oldest first; the last one encrypts
    size_t materials_n;
    struct ptr_vec aliases; // of struct alias, by name
    struct grant_set grants;
    UT_hash_handle hh;
};

// A key without material and policy. account and region must fit; the ARN is made from them.
struct key *key_new(const char *account, struct span region, const char *id);
void key_free(struct key *key, struct policy_pool *policies); // material, tags, grants; aliases are the keyring's
struct key_material *key_current(const struct key *key);
// Fresh material becomes the current one.
struct key_material *key_add_material(struct key *key, struct rng *rng, int64_t now_ns);
void key_set_description(struct key *key, struct span text);

// Tags. key_set_tag() replaces; how many there may be is asked by the caller.
const struct tag *key_tag(const struct key *key, struct span name);
void key_set_tag(struct key *key, struct span name, struct span value);
void key_remove_tag(struct key *key, struct span name);
// Index of the first tag behind `after`.
size_t key_tag_after(const struct key *key, struct span after);

// The stored record (key material sealed under the root key).
void key_encode(const struct key *key, const struct root_key *root, struct buf *out);
// arn is the record's name in the store. NULL with a reason when the record is damaged or sealed under another root
// key.
struct key *key_decode(struct span arn, struct span record, const struct root_key *root, struct policy_pool *policies,
                       char *why, size_t why_size);

// KeyMetadata as the API replies it, and as the trail shows it (lower-case names, dates as text).
void key_write_metadata(const struct key *key, struct json_write *w);
void key_write_trail_metadata(const struct key *key, struct json_write *w);
