// How key material is wrapped for its way to ImportKeyMaterial: the wrapping algorithms and the key pairs they take.
// Source: AWS KMS API reference, GetParametersForImport; RSA_AES_KEY_WRAP: PKCS #11, CKM_RSA_AES_KEY_WRAP (an AES-256
// key under RSAES-OAEP, followed by the material under that key with RFC 5649).
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "common/base/fault.h"
#include "common/base/secret.h"
#include "kmsd/key_spec.h"

enum wrapping {
    WRAPPING_RSAES_PKCS1_V1_5, // only known to be refused: AWS gave it up in 2023
    WRAPPING_RSAES_OAEP_SHA_1,
    WRAPPING_RSAES_OAEP_SHA_256,
    WRAPPING_RSA_AES_KEY_WRAP_SHA_1,
    WRAPPING_RSA_AES_KEY_WRAP_SHA_256,
    WRAPPING_SM2PKE,
    WRAPPINGS
};
extern const char *const wrapping_names[WRAPPINGS + 1]; // WrappingAlgorithm, ended by NULL
extern const char *const wrapping_key_specs[];          // WrappingKeySpec, ended by NULL
bool wrapping_find(struct span name, enum wrapping *out);

// Whether material of keys of this spec can be wrapped so: the algorithm with that wrapping key, in or outside of
// China.
bool wrapping_allowed(enum wrapping w, const struct key_spec *wrapping_key, const struct key_spec *key, bool china);
// Whether wrapped material can have n bytes at all.
bool wrapping_size_ok(enum wrapping w, EVP_PKEY *wrapping_key, size_t n);
// The material inside. False: it was not wrapped so, or not under this key.
MUST_CHECK bool wrapping_open(enum wrapping w, EVP_PKEY *wrapping_key, struct span wrapped, struct secret *material);
