// What keyring.c, keyring_change.c and keyring_load.c share; nobody else includes it.
#pragma once

#include <pthread.h>

#include "kmsd/keyring.h"
#include "kmsd/limits.h"

#define TABLE_META "meta"
#define TABLE_KEYS "keys"
#define TABLE_ALIASES "aliases"
#define TABLE_GRANTS "grants"
#define TABLE_DELETED "deleted_keys" // backing key id -> ARN
#define TABLE_SEEDED "seeded"        // ARN -> nothing
#define TABLE_KEY_STORES "key_stores"
#define TABLE_CLUSTER_KEYS "cloudhsm_keys" // backing key id -> key material, which lies in a (simulated) cluster
#define TABLE_USES "last_uses"             // ARN of a key -> its last use

#define REALM_NAME_SIZE 48

struct realm_entry {
    struct realm realm;         // first: what callers hold
    char name[REALM_NAME_SIZE]; // "<account>/<region>"
    UT_hash_handle hh;
};

struct retirer {
    char *name; // "<region>/<principal>"
    struct ptr_vec grants;
    UT_hash_handle hh;
};

struct seeded {
    char *arn;
    UT_hash_handle hh;
};

struct keyring {
    pthread_rwlock_t lock;
    struct store *store;
    struct root_key *root;
    struct rng *rng;
    enum context_case context_case;
    struct policy_pool *policies;
    struct key *keys;               // hash by ARN
    struct alias *aliases;          // hash by ARN
    struct key_material *materials; // hash by backing key id; related keys' hang behind it
    struct key_family *families;    // hash by name
    struct grant *grants;           // hash by id
    struct key_store *key_stores;   // hash by id
    struct realm_entry *realms;
    struct retirer *retirers;
    struct seeded *seeded;
    int64_t next_ns[KEY_DATES]; // no date of any key is earlier
    int64_t uses_since_ns;      // what was used before is not known
    pthread_mutex_t used_lock;
    struct ptr_vec used; // ARNs of keys whose last use is not saved
};

// Linking without storing: for loading, and as the memory's half of each change.
struct realm *keyring_make_realm(struct keyring *k, const char *account, const char *region);
void keyring_link_key(struct keyring *k, struct key *key);
void keyring_link_material(struct keyring *k, struct key_material *m);
void keyring_unlink_material(struct keyring *k, struct key_material *m);
// What waits for its rotation can be rotated once every Region has it. Saves all of the family.
void keyring_share_pending(struct keyring *k, struct key_family *f);
// Multi-Region keys (keyring_family.c). Unlinking the last one frees the family.
void keyring_link_family(struct keyring *k, struct key *key);
void keyring_unlink_family(struct keyring *k, struct key *key);
// arn is taken over.
struct alias *keyring_link_alias(struct keyring *k, char *arn, struct key *key, int64_t created_ns, int64_t updated_ns);
void keyring_link_grant(struct keyring *k, struct key *key, struct grant *g);
void keyring_unlink_grant(struct keyring *k, struct grant *g); // frees it
void keyring_unlink_alias(struct keyring *k, struct alias *a); // frees it
void keyring_link_seeded(struct keyring *k, struct span arn);
void keyring_forget_seeded(struct keyring *k);
// The name of a grant's record.
struct span keyring_grant_name(const struct key *key, const char *id_hex, char name[KMS_ARN_SIZE + 66]);
void keyring_link_key_store(struct keyring *k, struct key_store *s);
// The key material of a key in a cluster, which its own record does not have. take: as loaded; false: damaged.
void keyring_put_cluster_key(struct keyring *k, const struct key *key);
void keyring_delete_cluster_key(struct keyring *k, const struct key_material *m);
bool keyring_take_cluster_key(struct keyring *k, struct span name, struct span sealed);
