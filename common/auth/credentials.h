// The table of access keys: config/principals.json, the service credential, and what --auth=open adds. Immutable
// snapshots; credentials_reload() swaps in a new one (SIGHUP), calls under way keep theirs. Thread-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/auth/principal.h"
#include "common/base/buf.h"
#include "common/base/fault.h"

enum auth_mode {
    AUTH_OPEN, // unknown keys are let in: twelve digits is that account's root, any other the default account's `local`
    AUTH_STRICT, // only known keys
};

struct credentials;

struct credentials_options {
    enum auth_mode mode;
    const char *default_account; // 12 digits
    const char *principals_path; // principals.json; NULL: none
    const char *service_path;    // the services' own credential (0600); NULL: none
    int64_t started_ns;          // creation date shown for role sessions
};

// Reads the files (creating the service credential if it is not there). NULL with a reason that names file and member
// path ("accounts.111122223333.users.alice.accessKeys[0].secret: …").
struct credentials *credentials_new(const struct credentials_options *o, char *why, size_t why_size);
void credentials_free(struct credentials *c);
// Reads the files again. On failure the table stays as it was.
bool credentials_reload(struct credentials *c, char *why, size_t why_size);

// What belongs to an access key.
struct credential {
    const struct principal *principal; // counted: principal_unref() is the caller's
    struct span secret;                // the secret access key; lives as long as `principal`
    uint64_t secret_id;                // names the secret; never used for another one in this process
    const char *token;                 // session token that must be presented; NULL: none
    bool verify;                       // false: unknown key under AUTH_OPEN
};

// False when no such key is let in (UnrecognizedClientException). For an unknown twelve-digit or other key under
// AUTH_OPEN a principal is made and remembered (bounded: an LRU of at most 10,000).
MUST_CHECK bool credentials_find(struct credentials *c, struct span access_key_id, struct credential *out);
// The service credential that this process signs with: access key and secret. False when there is none.
MUST_CHECK bool credentials_service(struct credentials *c, struct credential *out);
