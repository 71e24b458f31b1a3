// Related multi-Region keys: one primary key and its replicas, at most one key in a Region. They have the same key id,
// kind, origin, key material and rotation; all else is each key's own. A family is the keyring's (keyring_family.c),
// and read under its lock. Source: AWS KMS Developer Guide, "Multi-Region keys in AWS KMS".
#pragma once

#include "common/base/buf.h"
#include "kmsd/hash.h"
#include "kmsd/ptr_vec.h"

struct key;

struct key_family {
    char *name; // what their ARNs have in common: "<partition>:<account>:key/<id>"
    struct key *primary;
    struct ptr_vec members; // struct key, by Region, the primary key included
    UT_hash_handle hh;
};

// The key of that Region. NULL: there is none, or no family.
struct key *key_family_member(const struct key_family *f, struct span region);
bool key_has_replicas(const struct key *key); // of a primary key

// In the keyring's hands only. name is copied.
struct key_family *key_family_new(struct span name);
void key_family_free(struct key_family *f);
void key_family_add(struct key_family *f, struct key *key);
void key_family_remove(struct key_family *f, struct key *key);
