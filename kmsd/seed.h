// Seeds: keys with fixed ids and given material, aliases, policies, tags and grants, which kmsd has from its first
// start
// (--seed-file) and goes back to (POST /_kmsd/reset). A file is read whole, and judged whole, before anything is made.
//
// Two forms of file: kmsd's own, whose members are those of CreateKey and CreateGrant (config/seed.yaml), and
// local-kms's (config/local-kms-seed.yaml), in all three versions that it has had.
#pragma once

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/fault.h"
#include "kmsd/keyring.h"
#include "kmsd/tags.h"

struct daemon;

// Its ids come from key id and material alone, so that every kmsd with this seed has the same.
struct seed_material {
    struct secret bytes;
    unsigned char backing_id[BACKING_ID_SIZE];
    char material_id[KEY_MATERIAL_ID_SIZE];
};

struct seed_grant {
    unsigned char id[GRANT_ID_SIZE]; // by key and terms
    struct span record;              // as the store would hold it
};

struct seed_key {
    int line; // in the file
    char account[13];
    const char *region, *id, *arn;
    const struct key_spec *spec;
    enum key_usage usage;
    enum key_origin origin;
    bool multi_region; // a primary key
    bool disabled;
    bool rotates;
    uint32_t rotation_days;
    int64_t next_rotation_ns; // 0: a period after the key was made
    struct span description;
    const struct key_policy *policy; // counted
    struct seed_material *materials; // oldest first, the last one encrypts
    size_t materials_n;
    struct tag_param *tags;
    size_t tags_n;
    struct seed_grant *grants;
    size_t grants_n;
    int64_t created_ns; // when it was first made; 0: not yet
};

struct seed_alias {
    int line;
    const char *name, *arn;
    const char *key_arn;
};

struct seed {
    struct arena arena;
    struct seed_key *keys;
    size_t keys_n;
    struct seed_alias *aliases;
    size_t aliases_n;
    struct policy_pool *policies; // the keyring's
};

// text: of a file of that name (which tells JSON from YAML where it ends in .json, .yaml or .yml; else the first
// character does) and is named in errors. region: of keys that name none; their account is the daemon's. d->ext must
// have the keyring. NULL with a reason that names file, line and member.
struct seed *seed_parse(struct daemon *d, const char *file, struct span text, const char *region, char *why,
                        size_t why_size);
struct seed *seed_read(struct daemon *d, const char *file, const char *region, char *why, size_t why_size);
// Before the keyring is closed. NULL is fine.
void seed_free(struct seed *seed);

// Makes the material that the file does not give, once, so that going back to the seed gives the same keys. False:
// the library failed.
MUST_CHECK bool seed_complete(struct seed *seed);
// Makes what is not there. A key or alias that is there, or that was made from a seed before, stays as it is (changed,
// moved or deleted); again: what was made before is made again where it is not there, with the date it had. The write
// lock must be held; the store's commit is the caller's. False with a reason, and nothing was made: a key of another
// place has the same material under the same id, or material cannot be made.
MUST_CHECK bool seed_apply(struct seed *seed, struct keyring *k, struct rng *rng, int64_t now_ns, bool again, char *why,
                           size_t why_size);
