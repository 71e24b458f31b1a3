// What kinds of keys there are, one row each: a new kind is a row here and, where its cryptography is new, a key_type.
// Source: AWS KMS API reference, CreateKey (KeySpec, KeyUsage) and Grants (operations by key type).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

struct key_type;

enum key_usage { USAGE_ENCRYPT_DECRYPT, USAGE_SIGN_VERIFY, USAGE_GENERATE_VERIFY_MAC, USAGE_KEY_AGREEMENT, KEY_USAGES };
extern const char *const key_usage_names[KEY_USAGES + 1]; // ended by NULL

// The operations that a grant can name; as bits in a set.
enum grant_operation {
    GRANT_DECRYPT,
    GRANT_ENCRYPT,
    GRANT_GENERATE_DATA_KEY,
    GRANT_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT,
    GRANT_RE_ENCRYPT_FROM,
    GRANT_RE_ENCRYPT_TO,
    GRANT_SIGN,
    GRANT_VERIFY,
    GRANT_GET_PUBLIC_KEY,
    GRANT_CREATE_GRANT,
    GRANT_RETIRE_GRANT,
    GRANT_DESCRIBE_KEY,
    GRANT_GENERATE_DATA_KEY_PAIR,
    GRANT_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT,
    GRANT_GENERATE_MAC,
    GRANT_VERIFY_MAC,
    GRANT_DERIVE_SHARED_SECRET,
    GRANT_OPERATIONS
};
#define GRANT_NONE GRANT_OPERATIONS // an operation that no grant can give
#define GRANT_BIT(operation) (UINT32_C(1) << (operation))
extern const char *const grant_operation_names[GRANT_OPERATIONS + 1]; // in the model's order, ended by NULL
bool grant_operation_find(struct span name, enum grant_operation *out);

struct key_spec {
    const char *name;
    const struct key_type *type;
    unsigned usages;                           // bits of enum key_usage
    int bits;                                  // of the modulus (RSA) or of the secret (symmetric, HMAC); else 0
    const char *group;                         // the library's name of curve or parameter set; NULL: none
    const char *const *algorithms[KEY_USAGES]; // of each usage it has, in AWS's order; NULL ends; NULL: none
    bool symmetric;                            // SYMMETRIC_DEFAULT: encryption contexts, data keys
    bool china_only;                           // exists in China Regions only
};

extern const struct key_spec key_specs[];    // ended by a NULL name
extern const char *const key_spec_choices[]; // as AWS's validation message lists them
extern const char *const key_usage_choices[];
const struct key_spec *key_spec_find(struct span name); // NULL: no such spec
bool key_spec_in_region(const struct key_spec *spec, const char *region);
bool key_usage_find(struct span name, enum key_usage *out);
// The operations that grants on keys of this kind can name.
uint32_t key_spec_grants(const struct key_spec *spec, enum key_usage usage);
