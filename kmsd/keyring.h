// The keyring: every key, alias and grant, in memory, written through to the store. It is read under its read lock and
// changed under its write lock, by one function per kind of change; the changes are durable after the store's next
// commit. Keys belong to an account and a Region, which their ARN holds.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "common/store/store.h"
#include "kmsd/alias.h"
#include "kmsd/enc_context.h"
#include "kmsd/grant.h"
#include "kmsd/key.h"
#include "kmsd/key_family.h"
#include "kmsd/key_store.h"

struct keyring;

extern const char *const keyring_tables[]; // the store's tables, NULL ends

struct keyring_options {
    struct store *store;       // open, with keyring_tables; borrowed
    const char *root_key_path; // NULL: a root key for this process only (nothing is kept)
    struct rng *rng;           // borrowed
    enum context_case context_case;
};

// Opens the root key and loads everything. NULL with a reason: a wrong or missing root key (naming its file), a damaged
// record.
struct keyring *keyring_open(const struct keyring_options *o, char *why, size_t why_size);
void keyring_close(struct keyring *k);

void keyring_read_lock(struct keyring *k);
void keyring_unlock(struct keyring *k);
// What is changed under it is held in the store (store_hold()) until the write lock is given back. A writer that must
// do something before its changes may be committed calls keyring_unlock(), does it, and calls store_release().
void keyring_write_lock(struct keyring *k);
void keyring_write_unlock(struct keyring *k);

const struct root_key *keyring_root(const struct keyring *k);
enum context_case keyring_context_case(const struct keyring *k);
struct keyring_counts {
    size_t keys, aliases, grants;
};
struct keyring_counts keyring_count(const struct keyring *k);

// ---- finding; a lock must be held ----

struct key *keyring_key(const struct keyring *k, struct span arn);     // NULL: none
struct alias *keyring_alias(const struct keyring *k, struct span arn); // NULL: none
// Key material by the id in a ciphertext: that of the key in this Region, else that of another Region's. NULL: never
// seen. Its key is NULL when the key was deleted, with all that are related to it.
const struct key_material *keyring_material(const struct keyring *k, const unsigned char backing_id[BACKING_ID_SIZE],
                                            const char *region);

// The multi-Region keys that have, or would have, this ARN but for its Region. NULL: none.
const struct key_family *keyring_family(const struct keyring *k, const char *key_arn);

// A grant of any key by its id, which a grant token holds. NULL: none.
struct grant *keyring_grant(const struct keyring *k, const unsigned char id[GRANT_ID_SIZE]);

// What an account has in a Region, sorted: struct key and struct key_store by id, struct alias by name. NULL: nothing.
struct realm {
    struct ptr_vec keys, aliases, key_stores;
};
const struct realm *keyring_realm(const struct keyring *k, const char *account, const char *region);
size_t realm_key_after(const struct realm *r, struct span id); // index of the first key behind id (empty: the first)
size_t realm_alias_after(const struct realm *r, struct span name); // the same of aliases
size_t key_alias_after(const struct key *key, struct span name);   // of key->aliases

struct key_store *keyring_key_store(const struct keyring *k, struct span id); // NULL: none
size_t realm_key_store_after(const struct realm *r, struct span id);

// Grants of a Region that a principal may retire, by key ARN and grant id. NULL: none.
const struct ptr_vec *keyring_retirable(const struct keyring *k, const char *region, const char *principal);
// Index of the first one behind (arn, id).
size_t retirable_after(const struct ptr_vec *grants, const char *arn, const unsigned char id[GRANT_ID_SIZE]);

// ---- changing; the write lock must be held ----

// A new key, as it is described. policy (policy_pool_get() of keyring_policies()) and material are taken over; without
// material a key of ORIGIN_EXTERNAL waits for its import.
struct key_draft {
    const char *account, *region;
    const struct key_spec *spec;
    enum key_usage usage;
    enum key_origin origin;
    enum multi_region multi_region;
    const struct key_policy *policy;
    struct secret material;
    struct key_store *key_store; // NULL: none
    struct span xks_key_id;      // of ORIGIN_EXTERNAL_KEY_STORE
    int64_t now_ns;
};
struct key *keyring_create_key(struct keyring *k, struct key_draft *draft);
// The same for a key that is whole already (key_new() and on), whose ARN and backing key ids nothing has yet; takes it.
void keyring_add_key(struct keyring *k, struct key *key);
struct policy_pool *keyring_policies(struct keyring *k);
// One more material of a key (key_add_material()); saving the key is the caller's.
struct key_material *keyring_add_material(struct keyring *k, struct key *key, struct secret *bytes,
                                          enum material_state state, int64_t now_ns);
// Imported material. Adding: the first one of a key becomes its current one, another one waits for its rotation.
// Restoring gives back the bytes that were deleted or expired (or replaces them by the same). Terms (expiry,
// description) are the caller's to set, then keyring_finish_import() makes a key that has all of its material usable,
// and saves it.
struct key_material *keyring_import_material(struct keyring *k, struct key *key, const char *material_id,
                                             struct secret *bytes, int64_t now_ns);
void keyring_restore_material(struct key_material *m, struct secret *bytes);
void keyring_finish_import(struct keyring *k, struct key *key);
// The bytes of imported material go. What belongs to its key for good stays known, for the same to be imported again,
// and the key waits for that; what waited for its rotation is forgotten.
void keyring_delete_material(struct keyring *k, struct key_material *m);
// After any field of the key was changed.
void keyring_save_key(struct keyring *k, struct key *key);
// The same after a property was changed that related multi-Region keys share: the replicas of a primary key get
// rotation and materials as it has them. Imported material is not copied, but each has its place for it.
void keyring_share_key(struct keyring *k, struct key *key);
// A replica of a multi-Region primary key in another Region, with all that they share. It is creating until its
// settles_ns, which is the caller's to set and to save. policy is taken over.
struct key *keyring_create_replica(struct keyring *k, const struct key *primary, const char *region,
                                   const struct key_policy *policy, int64_t now_ns);
// A replica becomes the primary key of its family, and the primary key a replica.
void keyring_move_primary(struct keyring *k, struct key *replica);
void keyring_set_policy(struct keyring *k, struct key *key, const struct key_policy *policy); // takes policy over
void keyring_schedule_deletion(struct keyring *k, struct key *key, int64_t at_ns);
// The same of a primary key that has replicas: its days begin when the last of them is deleted.
void keyring_schedule_after_replicas(struct keyring *k, struct key *primary, uint32_t days);
// After a replica of the family was deleted: what waited for that goes on (the primary key's deletion, material that
// only this one lacked).
void keyring_replica_is_gone(struct keyring *k, struct key_family *family, int64_t now_ns);
void keyring_cancel_deletion(struct keyring *k, struct key *key);
// The key with its material, aliases and grants is gone; what it encrypted is lost.
void keyring_delete_key(struct keyring *k, struct key *key);

// For the jobs of the main thread: what happens to keys when the clock reaches a date of theirs.
enum key_date {
    DATE_DELETION, // of a key that waits for it
    DATE_EXPIRY,   // of the first of its imported materials
    DATE_ROTATION, // rotation_due()
    DATE_SETTLING, // of a key with something going on between Regions
    KEY_DATES
};
// No key has such a date before this (INT64_MAX: none has). A read lock suffices.
int64_t keyring_next(const struct keyring *k, enum key_date date);
// Keys whose date has come, at most max. What the caller does to them changes their date; of those it leaves as they
// are it must say so by keyring_note_dates().
size_t keyring_due(struct keyring *k, enum key_date date, int64_t now_ns, struct key **out, size_t max);
void keyring_note_dates(struct keyring *k, const struct key *key);

// ---- the last uses of keys (keyring_uses.c) ----

// Reads what was saved. After keyring_open(), before other threads. False with a reason.
bool keyring_load_uses(struct keyring *k, int64_t now_ns, char *why, size_t why_size);
// A use that the journal tells of and that may be newer than what was saved: at start only.
void keyring_replay_use(struct keyring *k, struct span arn, const struct last_use *use);
// Takes the read lock. Nothing is written; a key that is not there any more is left out.
void keyring_note_use(struct keyring *k, struct span arn, const struct last_use *use);
// Saves what was noted since the last time. Takes the read lock; only one thread at a time. False with a reason: it is
// not durable yet, the next commit does it.
bool keyring_save_uses(struct keyring *k, char *why, size_t why_size);
// Uses from this time on are known (0: all that ever were).
int64_t keyring_uses_since(const struct keyring *k);
// No key was ever used. The write lock must be held.
void keyring_forget_uses(struct keyring *k, int64_t now_ns);

// ---- seeds; the write lock must be held ----

// What was made from a seed once (ARNs of keys and aliases), whatever became of it.
bool keyring_was_seeded(const struct keyring *k, const char *arn);
void keyring_note_seeded(struct keyring *k, const char *arn);
// All keys go, with their aliases and grants, and what is known of deleted ones; but for those that are as_seeded.
void keyring_clear(struct keyring *k);

void keyring_create_alias(struct keyring *k, struct key *key, struct span name, int64_t now_ns);
void keyring_move_alias(struct keyring *k, struct alias *a, struct key *key, int64_t now_ns);
void keyring_delete_alias(struct keyring *k, struct alias *a);

// Takes the grant over and gives it an id. Its terms are final.
void keyring_create_grant(struct keyring *k, struct key *key, struct grant *g);
// The same for a grant that has its id, which nothing has yet.
void keyring_add_grant(struct keyring *k, struct key *key, struct grant *g);
void keyring_remove_grant(struct keyring *k, struct grant *g); // retired or revoked: it is gone

// Custom key stores. create takes the store over and gives it an id; save is for after any of its fields was changed; a
// store that is deleted has no keys.
void keyring_create_key_store(struct keyring *k, struct key_store *s);
void keyring_save_key_store(struct keyring *k, const struct key_store *s);
void keyring_delete_key_store(struct keyring *k, struct key_store *s);
// For the job that connects and disconnects them: when one is due (INT64_MAX: none), and which. A read lock suffices.
int64_t keyring_next_connection(const struct keyring *k);
struct key_store *keyring_due_connection(const struct keyring *k, int64_t now_ns); // NULL: none
