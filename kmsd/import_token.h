// ImportToken of GetParametersForImport: opaque, sealed under the root key, and complete. The private half of the
// wrapping key is inside, so that nothing is kept until the token comes back, and a restart does not matter.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/secret.h"
#include "kmsd/import_wrap.h"
#include "kmsd/limits.h"
#include "kmsd/root_key.h"

#define IMPORT_TOKEN_MAX 6144                  // CiphertextType
#define IMPORT_TOKEN_LABEL "kmsd import token" // authenticated with it

struct import_token {
    char arn[KMS_ARN_SIZE]; // of the key that the material is for
    enum wrapping wrapping;
    int64_t valid_to_ns;
    struct secret wrapping_key; // PKCS#8
};

// Appends the token.
void import_token_write(const struct root_key *k, const struct import_token *t, struct buf *out);
// False, with nothing in *t: the bytes are no token of this root key. import_token_done() is the caller's.
MUST_CHECK bool import_token_read(const struct root_key *k, struct span bytes, struct import_token *t);
void import_token_done(struct import_token *t);
