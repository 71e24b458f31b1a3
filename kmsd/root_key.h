// The root key: 256 bits in a file (mode 0600) that the first start creates. Key material at rest is sealed under it;
// grant tokens and markers are authenticated with keys derived from it. Immutable once opened, so any thread may use
// it.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define ROOT_KEY_ID_SIZE 32

struct root_key {
    unsigned char id[ROOT_KEY_ID_SIZE]; // says which root key it is without telling anything about it
    unsigned char seal[32], token[32], marker[32];
    unsigned char token_id[32]; // "the wrapping key" that grant tokens name
    unsigned char import_token[32];
};

// Reads the file, or makes it when it is not there and `create` allows. path NULL: a key that lives as long as the
// process. NULL with a reason that names the file. Freed (and wiped) by root_key_free().
struct root_key *root_key_open(const char *path, bool create, char *why, size_t why_size);
void root_key_free(struct root_key *k);

// Appends the sealed form (IV, ciphertext, tag) of the bytes; name is authenticated with it, so that a record cannot
// stand in for another.
void root_key_seal(const struct root_key *k, struct span name, struct span bytes, struct buf *out);
#define ROOT_KEY_OVERHEAD 28
// plain has sealed.n - ROOT_KEY_OVERHEAD bytes. False when it was sealed under another key or name, or was changed.
MUST_CHECK bool root_key_unseal(const struct root_key *k, struct span name, struct span sealed, unsigned char *plain);
