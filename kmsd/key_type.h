// The cryptography of a type of key behind one small interface, so that a new key spec is one row of key_spec.c. What a
// type cannot do is NULL. All functions may be called by several threads at once.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "common/base/fault.h"
#include "common/base/secret.h"
#include "kmsd/key_spec.h"

struct key_type {
    // Whether the library that kmsd is linked with can do this spec. NULL: always.
    bool (*available)(const struct key_spec *spec);
    // Fresh key material: the secret's bytes (symmetric, HMAC) or PKCS#8 DER. False: the library failed. NULL: that
    // takes so long (RSA) that it must not happen in a worker's loop.
    MUST_CHECK bool (*make)(const struct key_spec *spec, struct secret *material);
    // The same, for key_maker.c; false too once *stop is true. NULL: it does not take long.
    MUST_CHECK bool (*make_slowly)(const struct key_spec *spec, const bool *stop, struct secret *material);
    // Whether material from elsewhere is a key of this spec.
    MUST_CHECK bool (*fits)(const struct key_spec *spec, struct span material);
    bool asymmetric; // has a public key; material is PKCS#8
};

extern const struct key_type key_type_symmetric, key_type_hmac, key_type_rsa, key_type_ecc, key_type_eddsa,
    key_type_ml_dsa, key_type_sm2;

// The material of an asymmetric key, PKCS#8 DER, as the library's object; NULL: it is none. EVP_PKEY_free() is the
// caller's.
EVP_PKEY *key_type_load(struct span pkcs8);
// The reverse. False: the library failed.
MUST_CHECK bool key_type_store(EVP_PKEY *pkey, struct secret *material);
// SubjectPublicKeyInfo in DER (RFC 5280), appended. False: the library failed.
MUST_CHECK bool key_type_public(EVP_PKEY *pkey, struct buf *out);
