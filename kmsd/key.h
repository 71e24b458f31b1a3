// A KMS key: its metadata, key material, policy, tags, aliases and grants. Keys belong to the keyring; everything here
// is read and changed under its lock.
#pragma once

#include <openssl/types.h>
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
#include "kmsd/last_use.h"
#include "kmsd/ptr_vec.h"
#include "kmsd/root_key.h"

#define KEY_ID_SIZE 37 // a UUID, or "mrk-" and 32 hexadecimal digits; and a terminator
#define KEY_MATERIAL_ID_SIZE 65

enum key_manager {
    KEY_MANAGER_CUSTOMER,
    KEY_MANAGER_AWS,
};

enum key_origin { ORIGIN_AWS_KMS, ORIGIN_EXTERNAL, ORIGIN_AWS_CLOUDHSM, ORIGIN_EXTERNAL_KEY_STORE, KEY_ORIGINS };
extern const char *const key_origin_names[KEY_ORIGINS];

enum multi_region { SINGLE_REGION, MULTI_REGION_PRIMARY, MULTI_REGION_REPLICA, MULTI_REGIONS };

struct key;
struct key_family;

// KeyMaterialState of the API.
enum material_state {
    MATERIAL_CURRENT,                                  // encrypts
    MATERIAL_NON_CURRENT,                              // decrypts what was encrypted before
    MATERIAL_PENDING_ROTATION,                         // imported, waits for RotateKeyOnDemand
    MATERIAL_PENDING_MULTI_REGION_IMPORT_AND_ROTATION, // the same, and not imported into every Region yet
    MATERIAL_STATES
};
extern const char *const material_state_names[MATERIAL_STATES];

// RotationType of the API: how a material became the current one.
enum rotation_type {
    ROTATION_NONE, // the first one of its key
    ROTATION_AUTOMATIC,
    ROTATION_ON_DEMAND,
    ROTATION_TYPES
};
extern const char *const rotation_type_names[ROTATION_TYPES];

// One version of a key's material. A ciphertext names it by its backing key id.
struct key_material {
    unsigned char backing_id[BACKING_ID_SIZE];
    char material_id[KEY_MATERIAL_ID_SIZE]; // KeyMaterialId of the API
    struct secret bytes;                    // empty: imported once, and deleted or expired since
    int64_t created_ns;
    enum material_state state;
    enum rotation_type rotation;
    int64_t rotated_ns;  // when it became the current one
    bool expires;        // imported with an ExpirationModel of KEY_MATERIAL_EXPIRES
    int64_t valid_to_ns; // if it expires
    char *description;   // KeyMaterialDescription; NULL: none
    struct key *key;     // NULL: the key was deleted
    EVP_PKEY *pkey;      // made when first used: material_pkey()
    // Related multi-Region keys have the same material, each its own copy of it: a list behind the one in the hash.
    struct key_material *peer;
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
    enum key_origin origin;
    enum multi_region multi_region;
    struct key_family *family; // of a multi-Region key that is in the keyring; else NULL
    char *description;
    char *key_store_id;          // of a custom key store; NULL: none
    struct key_store *key_store; // the same, in the keyring
    char *xks_key_id;            // of ORIGIN_EXTERNAL_KEY_STORE; else NULL
    int64_t created_ns;
    int64_t deletion_ns;          // of KEY_PENDING_DELETION
    uint32_t deletion_days;       // the window that was asked for: of the two states that wait for deletion
    bool rotates;                 // automatic rotation
    uint32_t rotation_days;       // its period
    int64_t next_rotation_ns;     // if it rotates
    uint32_t on_demand_rotations; // how many there were, the one in progress included
    int64_t on_demand_ns;         // when the one in progress was asked for; 0: none is
    int64_t settles_ns;           // when what goes on between Regions is done; 0: nothing does
    const struct key_policy *policy;
    struct tag *tags; // by key
    size_t tags_n;
    struct key_material **materials; // oldest first
    size_t materials_n;
    struct ptr_vec aliases; // of struct alias, by name
    struct grant_set grants;
    struct last_use_box *last_use; // NULL: never used
    bool as_seeded;                // nothing about it was changed since this process made it from a seed
    UT_hash_handle hh;
};

// A key without material and policy. account and region must fit; the ARN is made from them.
struct key *key_new(const char *account, struct span region, const char *id);
void key_free(struct key *key, struct policy_pool *policies); // material, tags, grants; aliases are the keyring's
// The material that encrypts; NULL: a key that waits for its import, or whose material is in a custom key store.
struct key_material *key_current(const struct key *key);
// The material with this KeyMaterialId. NULL: the key has none such.
struct key_material *key_material_by_id(const struct key *key, struct span material_id);
// Whether material belongs to its key for good: not while it waits for its rotation.
bool material_is_permanent(const struct key_material *m);
// Whether a key without all of its material waits for an import: of all that belongs to it for good.
bool key_wants_material(const struct key *key);
// Adds material in that state, with ids of its own; takes the bytes. What was current is not changed.
struct key_material *key_add_material(struct key *key, struct rng *rng, struct secret *bytes, enum material_state state,
                                      int64_t now_ns);
// The state as it is shown and counts: a key whose custom key store is not connected is unavailable, whether it is
// enabled or not. Its own state comes back with the connection.
enum key_state key_shown_state(const struct key *key);
void key_set_description(struct key *key, struct span text);
// A heap copy of the text, replacing what *to held; empty: NULL.
void key_set_text(char **to, struct span text);

// The material of an asymmetric key as the library's object, which belongs to the material; NULL: the library failed.
// Several threads may ask at once.
EVP_PKEY *material_pkey(struct key_material *m);
// The ids of material that was not made here: by key id and material alone. False: the library failed.
MUST_CHECK bool material_ids(const struct key_spec *spec, const char *key_id, struct span material,
                             unsigned char backing_id[BACKING_ID_SIZE], char material_id[KEY_MATERIAL_ID_SIZE]);
// Wipes the bytes (deleted, expired); the ids stay.
void material_wipe(struct key_material *m);
void material_free(struct key_material *m);

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

// KeyMetadata (key_metadata.c) as the API replies it, and as the trail shows it (lower-case names, dates as text).
void key_write_metadata(const struct key *key, struct json_write *w);
void key_write_trail_metadata(const struct key *key, struct json_write *w);
// Its member with the algorithms of the key's usage: EncryptionAlgorithms, SigningAlgorithms, MacAlgorithms or
// KeyAgreementAlgorithms.
void key_write_algorithms(const struct key *key, struct json_write *w);
