// Signatures of the API's signing algorithms, one row each. All functions may be called by several threads at once.
// Sources: AWS KMS API reference, Sign (SigningAlgorithm, MessageType); RFC 8017 (RSA), ANSI X9.62 (ECDSA, in DER),
// RFC 8032 (Ed25519), FIPS 204 (ML-DSA), GB/T 32918 (SM2).
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

// What is handed over to be signed.
enum message_type {
    MESSAGE_RAW,         // the message
    MESSAGE_DIGEST,      // a digest that the caller made
    MESSAGE_EXTERNAL_MU, // the message representative of ML-DSA
    MESSAGE_TYPES
};
extern const char *const message_type_names[MESSAGE_TYPES + 1]; // in AWS's order, ended by NULL
enum message_type message_type_find(struct span name);          // must be one of them; p NULL: MESSAGE_RAW

struct sign_algorithm {
    const char *name;
    const char *digest; // the library's name of the hash that the signature is over; NULL: the scheme has its own
    size_t digest_n;    // bytes of what is no MESSAGE_RAW
    unsigned types;     // bits of enum message_type that the algorithm takes
    unsigned whole;     // those of them that the scheme takes as they are, doing its own hashing
    int padding;        // of RSA; else 0
    const char *scheme; // the library's name of a scheme that not all of them have; NULL: all do
    // What the scheme must be told, for messages of these types (bits); not all libraries that have it know how.
    const OSSL_PARAM *option;
    unsigned option_types;
};

extern const struct sign_algorithm sign_algorithms[];               // ended by a NULL name
const struct sign_algorithm *sign_algorithm_find(struct span name); // NULL: no such algorithm
// Whether the library that kmsd is linked with can do it for messages of this type.
bool sign_available(const struct sign_algorithm *a, enum message_type type);

// One signature, over a message of a type, and of a length, that the algorithm takes.
struct signing {
    const struct sign_algorithm *algorithm;
    enum message_type type;
    struct span message;
    EVP_PKEY *pkey;
};

#define SIGNATURE_MAX 6144 // bytes, of the model's CiphertextType; ML-DSA-87 has 4627

// False: the library failed. signature gets *n of at most SIGNATURE_MAX bytes.
MUST_CHECK bool crypto_sign(const struct signing *s, unsigned char signature[SIGNATURE_MAX], size_t *n);
// False: it is not this message's signature, or no signature at all.
MUST_CHECK bool crypto_verify(const struct signing *s, struct span signature);
