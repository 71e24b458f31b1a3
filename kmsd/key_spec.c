// The tables behind key_spec.h. Read by CreateKey, CreateGrant and the metadata of keys.
#include "kmsd/key_spec.h"

#include <stddef.h>

const char *const key_usage_names[KEY_USAGES + 1] = {
    [USAGE_ENCRYPT_DECRYPT] = "ENCRYPT_DECRYPT",
    [USAGE_SIGN_VERIFY] = "SIGN_VERIFY",
    [USAGE_GENERATE_VERIFY_MAC] = "GENERATE_VERIFY_MAC",
    [USAGE_KEY_AGREEMENT] = "KEY_AGREEMENT",
};

const char *const grant_operation_names[GRANT_OPERATIONS + 1] = {
    [GRANT_DECRYPT] = "Decrypt",
    [GRANT_ENCRYPT] = "Encrypt",
    [GRANT_GENERATE_DATA_KEY] = "GenerateDataKey",
    [GRANT_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT] = "GenerateDataKeyWithoutPlaintext",
    [GRANT_RE_ENCRYPT_FROM] = "ReEncryptFrom",
    [GRANT_RE_ENCRYPT_TO] = "ReEncryptTo",
    [GRANT_SIGN] = "Sign",
    [GRANT_VERIFY] = "Verify",
    [GRANT_GET_PUBLIC_KEY] = "GetPublicKey",
    [GRANT_CREATE_GRANT] = "CreateGrant",
    [GRANT_RETIRE_GRANT] = "RetireGrant",
    [GRANT_DESCRIBE_KEY] = "DescribeKey",
    [GRANT_GENERATE_DATA_KEY_PAIR] = "GenerateDataKeyPair",
    [GRANT_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT] = "GenerateDataKeyPairWithoutPlaintext",
    [GRANT_GENERATE_MAC] = "GenerateMac",
    [GRANT_VERIFY_MAC] = "VerifyMac",
    [GRANT_DERIVE_SHARED_SECRET] = "DeriveSharedSecret",
};

// The order of the recorded messages (2023); specs that came later are accepted but not in AWS's sentence.
const char *const key_spec_choices[] = {
    "RSA_2048", "ECC_NIST_P384",     "ECC_NIST_P256", "ECC_NIST_P521", "HMAC_384", "RSA_3072", "ECC_SECG_P256K1",
    "RSA_4096", "SYMMETRIC_DEFAULT", "HMAC_256",      "HMAC_224",      "HMAC_512", NULL};
const char *const key_usage_choices[] = {"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", NULL};

#define EVERY_KEY (GRANT_BIT(GRANT_CREATE_GRANT) | GRANT_BIT(GRANT_DESCRIBE_KEY) | GRANT_BIT(GRANT_RETIRE_GRANT))
#define SYMMETRIC_GRANTS                                                                                               \
    (EVERY_KEY | GRANT_BIT(GRANT_ENCRYPT) | GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_GENERATE_DATA_KEY) |            \
     GRANT_BIT(GRANT_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT) | GRANT_BIT(GRANT_GENERATE_DATA_KEY_PAIR) |                  \
     GRANT_BIT(GRANT_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT) | GRANT_BIT(GRANT_RE_ENCRYPT_FROM) |                    \
     GRANT_BIT(GRANT_RE_ENCRYPT_TO))

#define ENCRYPT (1u << USAGE_ENCRYPT_DECRYPT)
#define SIGN (1u << USAGE_SIGN_VERIFY)
#define MAC (1u << USAGE_GENERATE_VERIFY_MAC)
#define AGREE (1u << USAGE_KEY_AGREEMENT)

static const char *const symmetric_algorithms[] = {"SYMMETRIC_DEFAULT", NULL};

const struct key_spec key_specs[] = {
    {"SYMMETRIC_DEFAULT", ENCRYPT, true, true, symmetric_algorithms, SYMMETRIC_GRANTS},
    {"RSA_2048", ENCRYPT | SIGN, false, false, NULL, 0},
    {"RSA_3072", ENCRYPT | SIGN, false, false, NULL, 0},
    {"RSA_4096", ENCRYPT | SIGN, false, false, NULL, 0},
    {"ECC_NIST_P256", SIGN | AGREE, false, false, NULL, 0},
    {"ECC_NIST_P384", SIGN | AGREE, false, false, NULL, 0},
    {"ECC_NIST_P521", SIGN | AGREE, false, false, NULL, 0},
    {"ECC_SECG_P256K1", SIGN, false, false, NULL, 0},
    {"ECC_NIST_EDWARDS25519", SIGN, false, false, NULL, 0},
    {"HMAC_224", MAC, false, false, NULL, 0},
    {"HMAC_256", MAC, false, false, NULL, 0},
    {"HMAC_384", MAC, false, false, NULL, 0},
    {"HMAC_512", MAC, false, false, NULL, 0},
    {"SM2", ENCRYPT | SIGN | AGREE, false, false, NULL, 0},
    {"ML_DSA_44", SIGN, false, false, NULL, 0},
    {"ML_DSA_65", SIGN, false, false, NULL, 0},
    {"ML_DSA_87", SIGN, false, false, NULL, 0},
    {NULL, 0, false, false, NULL, 0},
};

const struct key_spec *key_spec_find(struct span name)
{
    for (const struct key_spec *s = key_specs; s->name; s++)
        if (span_is(name, s->name))
            return s;
    return NULL;
}

static bool find_name(const char *const *names, struct span name, int *out)
{
    for (int i = 0; names[i]; i++) {
        if (span_is(name, names[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool key_usage_find(struct span name, enum key_usage *out)
{
    int i = 0;
    bool found = find_name(key_usage_names, name, &i);
    *out = (enum key_usage)i;
    return found;
}

bool grant_operation_find(struct span name, enum grant_operation *out)
{
    int i = 0;
    bool found = find_name(grant_operation_names, name, &i);
    *out = (enum grant_operation)i;
    return found;
}
