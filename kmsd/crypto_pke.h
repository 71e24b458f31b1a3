// Public-key encryption of the API's encryption algorithms, one row each. All functions may be called by several
// threads at once.
// Sources: AWS KMS API reference, Encrypt (sizes); RFC 8017 section 7.1 (RSAES-OAEP, MGF1 with the same hash, no
// label); GB/T 32918.4 (SM2), its ciphertext in the DER of GM/T 0009.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define PKE_CIPHERTEXT_MAX 2048 // bytes that a ciphertext of these algorithms can have at most
#define PKE_PLAINTEXT_MAX 1024

struct pke_algorithm {
    const char *name;
    const char *digest; // the library's name of OAEP's hash; NULL: SM2, which has its own
    size_t digest_n;
};

// NULL: no such algorithm.
const struct pke_algorithm *pke_algorithm_find(const char *name);
// The longest plaintext, in bytes, with a modulus of so many bits (RSA; else 0).
size_t pke_plaintext_max(const struct pke_algorithm *a, int modulus_bits);
// out has PKE_CIPHERTEXT_MAX bytes, and gets *n. False: the library failed. The plaintext must not be too long.
MUST_CHECK bool pke_encrypt(const struct pke_algorithm *a, EVP_PKEY *pkey, struct span plaintext, unsigned char *out,
                            size_t *n);
// out has PKE_PLAINTEXT_MAX bytes, and gets *n. False: not a ciphertext of this key and algorithm.
MUST_CHECK bool pke_decrypt(const struct pke_algorithm *a, EVP_PKEY *pkey, struct span ciphertext, unsigned char *out,
                            size_t *n);
