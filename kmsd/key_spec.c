// The tables behind key_spec.h. Read by CreateKey, CreateGrant and the metadata of keys.
#include "kmsd/key_spec.h"

#include <stddef.h>

#include "kmsd/arn.h"
#include "kmsd/key_type.h"

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

#define ENCRYPT (1u << USAGE_ENCRYPT_DECRYPT)
#define SIGN (1u << USAGE_SIGN_VERIFY)
#define MAC (1u << USAGE_GENERATE_VERIFY_MAC)
#define AGREE (1u << USAGE_KEY_AGREEMENT)

#define NAMES(...)                                                                                                     \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define ENCRYPTS_WITH(...) [USAGE_ENCRYPT_DECRYPT] = NAMES(__VA_ARGS__)
#define SIGNS_WITH(...) [USAGE_SIGN_VERIFY] = NAMES(__VA_ARGS__)
#define MACS_WITH(...) [USAGE_GENERATE_VERIFY_MAC] = NAMES(__VA_ARGS__)
#define AGREES_WITH(...) [USAGE_KEY_AGREEMENT] = NAMES(__VA_ARGS__)
#define RSA_ALGORITHMS                                                                                                 \
    ENCRYPTS_WITH("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),                                                           \
        SIGNS_WITH("RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",              \
                   "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512")
#define ECDH AGREES_WITH("ECDH")
#define ML_DSA SIGNS_WITH("ML_DSA_SHAKE_256")

// clang-format off
const struct key_spec key_specs[] = {
    {"SYMMETRIC_DEFAULT", &key_type_symmetric, ENCRYPT, 256, NULL, {ENCRYPTS_WITH("SYMMETRIC_DEFAULT")}, .symmetric = true},
    {"RSA_2048", &key_type_rsa, ENCRYPT | SIGN, 2048, NULL, {RSA_ALGORITHMS}},
    {"RSA_3072", &key_type_rsa, ENCRYPT | SIGN, 3072, NULL, {RSA_ALGORITHMS}},
    {"RSA_4096", &key_type_rsa, ENCRYPT | SIGN, 4096, NULL, {RSA_ALGORITHMS}},
    {"ECC_NIST_P256", &key_type_ecc, SIGN | AGREE, 0, "P-256", {SIGNS_WITH("ECDSA_SHA_256"), ECDH}},
    {"ECC_NIST_P384", &key_type_ecc, SIGN | AGREE, 0, "P-384", {SIGNS_WITH("ECDSA_SHA_384"), ECDH}},
    {"ECC_NIST_P521", &key_type_ecc, SIGN | AGREE, 0, "P-521", {SIGNS_WITH("ECDSA_SHA_512"), ECDH}},
    {"ECC_SECG_P256K1", &key_type_ecc, SIGN, 0, "secp256k1", {SIGNS_WITH("ECDSA_SHA_256")}},
    {"ECC_NIST_EDWARDS25519", &key_type_eddsa, SIGN, 0, "ED25519", {SIGNS_WITH("ED25519_SHA_512", "ED25519_PH_SHA_512")}},
    {"HMAC_224", &key_type_hmac, MAC, 224, NULL, {MACS_WITH("HMAC_SHA_224")}},
    {"HMAC_256", &key_type_hmac, MAC, 256, NULL, {MACS_WITH("HMAC_SHA_256")}},
    {"HMAC_384", &key_type_hmac, MAC, 384, NULL, {MACS_WITH("HMAC_SHA_384")}},
    {"HMAC_512", &key_type_hmac, MAC, 512, NULL, {MACS_WITH("HMAC_SHA_512")}},
    {"SM2", &key_type_sm2, ENCRYPT | SIGN | AGREE, 0, "SM2", {ENCRYPTS_WITH("SM2PKE"), SIGNS_WITH("SM2DSA"), ECDH}, .china_only = true},
    {"ML_DSA_44", &key_type_ml_dsa, SIGN, 0, "ML-DSA-44", {ML_DSA}},
    {"ML_DSA_65", &key_type_ml_dsa, SIGN, 0, "ML-DSA-65", {ML_DSA}},
    {"ML_DSA_87", &key_type_ml_dsa, SIGN, 0, "ML-DSA-87", {ML_DSA}},
    {NULL},
};
// clang-format on

#define B(operation) GRANT_BIT(GRANT_##operation)
#define EVERY_KEY (B(CREATE_GRANT) | B(DESCRIBE_KEY) | B(RETIRE_GRANT))
#define ENCRYPTION (B(ENCRYPT) | B(DECRYPT) | B(RE_ENCRYPT_FROM) | B(RE_ENCRYPT_TO))
#define DATA_KEYS                                                                                                      \
    (B(GENERATE_DATA_KEY) | B(GENERATE_DATA_KEY_WITHOUT_PLAINTEXT) | B(GENERATE_DATA_KEY_PAIR) |                       \
     B(GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT))

uint32_t key_spec_grants(const struct key_spec *spec, enum key_usage usage)
{
    if (spec->symmetric)
        return EVERY_KEY | ENCRYPTION | DATA_KEYS;
    switch (usage) {
    case USAGE_ENCRYPT_DECRYPT:
        return EVERY_KEY | ENCRYPTION | B(GET_PUBLIC_KEY);
    case USAGE_SIGN_VERIFY:
        return EVERY_KEY | B(SIGN) | B(VERIFY) | B(GET_PUBLIC_KEY);
    case USAGE_GENERATE_VERIFY_MAC:
        return EVERY_KEY | B(GENERATE_MAC) | B(VERIFY_MAC);
    case USAGE_KEY_AGREEMENT:
        return EVERY_KEY | B(DERIVE_SHARED_SECRET) | B(GET_PUBLIC_KEY);
    case KEY_USAGES:
        break;
    }
    return EVERY_KEY;
}

const struct key_spec *key_spec_find(struct span name)
{
    for (const struct key_spec *s = key_specs; s->name; s++)
        if (span_is(name, s->name))
            return s;
    return NULL;
}

bool key_spec_in_region(const struct key_spec *spec, const char *region)
{
    return !spec->china_only || arn_in_china(region);
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
