// Wrapping one 256-bit key under another: table keys under ddbd's owned key, data encryption keys under table keys.
// AES-256-GCM with a fresh nonce; what the key belongs to is authenticated with it, so that a wrapped key can not be
// moved to another table, version or purpose.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/secret.h"

#define KEY_SIZE 32
#define KEY_WRAPPED_SIZE (12 + KEY_SIZE + 16) // nonce, ciphertext, tag

// What the wrapped key is and whose.
struct key_purpose {
    const char *what;     // "table key", "data encryption key"
    const char *table_id; // UUID
    uint32_t version;     // of the table key
};

MUST_CHECK bool key_wrap(struct span under, const struct key_purpose *purpose, struct span key,
                         unsigned char out[KEY_WRAPPED_SIZE]);
// Fills an empty secret. False when the bytes were changed, belong elsewhere, or `under` is the wrong key.
MUST_CHECK bool key_unwrap(struct span under, const struct key_purpose *purpose,
                           const unsigned char wrapped[KEY_WRAPPED_SIZE], struct secret *key);
