// AWS's request quotas, one row each. Who counts against which is throttle.c's.
#include "kmsd/throttle_quotas.h"

#include <string.h>

#include "kmsd/key_type.h"

static const struct {
    const char *name;
    double rate;
} everywhere[] = {
    {QUOTA_SYMMETRIC, 10000},
    {"RSA", 1000},
    {"ECC", 1000},
    {"ML-DSA", 1000},
    {QUOTA_KEY_STORE, 1800},
    {QUOTA_KEY_PAIR "ECC_NIST_P256", 100},
    {QUOTA_KEY_PAIR "ECC_NIST_P384", 100},
    {QUOTA_KEY_PAIR "ECC_NIST_P521", 100},
    {QUOTA_KEY_PAIR "ECC_SECG_P256K1", 100},
    {QUOTA_KEY_PAIR "ECC_NIST_EDWARDS25519", 100},
    {QUOTA_KEY_PAIR "RSA_2048", 20},
    {QUOTA_KEY_PAIR "RSA_3072", 4},
    {QUOTA_KEY_PAIR "RSA_4096", 1},
    {QUOTA_KEY_PAIR "SM2", 25},
    {"CancelKeyDeletion", 5},
    {"ConnectCustomKeyStore", 5},
    {"CreateAlias", 5},
    {"CreateCustomKeyStore", 5},
    {"CreateGrant", 50},
    {"CreateKey", 5},
    {"DeleteAlias", 15},
    {"DeleteCustomKeyStore", 5},
    {"DeleteImportedKeyMaterial", 15},
    {"DescribeCustomKeyStores", 5},
    {"DescribeKey", 2000},
    {"DisableKey", 5},
    {"DisableKeyRotation", 5},
    {"DisconnectCustomKeyStore", 5},
    {"EnableKey", 5},
    {"EnableKeyRotation", 15},
    {"GetKeyLastUsage", 5},
    {"GetKeyPolicy", 1000},
    {"GetKeyRotationStatus", 1000},
    {"GetParametersForImport", 1},
    {"GetPublicKey", 2000},
    {"ImportKeyMaterial", 15},
    {"ListAliases", 500},
    {"ListGrants", 100},
    {"ListKeyPolicies", 100},
    {"ListKeyRotations", 100},
    {"ListKeys", 500},
    {"ListResourceTags", 2000},
    {"ListRetirableGrants", 100},
    {"PutKeyPolicy", 15},
    {"ReplicateKey", 5},
    {"RetireGrant", 50},
    {"RevokeGrant", 50},
    {"RotateKeyOnDemand", 5},
    {"ScheduleKeyDeletion", 15},
    {"TagResource", 10},
    {"UntagResource", 5},
    {"UpdateAlias", 5},
    {"UpdateCustomKeyStore", 5},
    {"UpdateKeyDescription", 5},
    {"UpdatePrimaryRegion", 5},
};

static const struct {
    const char *region, *name;
    double rate;
} elsewhere[] = {
    {"us-east-2", QUOTA_SYMMETRIC, 20000},
    {"ap-southeast-1", QUOTA_SYMMETRIC, 20000},
    {"ap-southeast-2", QUOTA_SYMMETRIC, 20000},
    {"ap-northeast-1", QUOTA_SYMMETRIC, 20000},
    {"eu-central-1", QUOTA_SYMMETRIC, 20000},
    {"eu-west-2", QUOTA_SYMMETRIC, 20000},
    {"us-east-1", QUOTA_SYMMETRIC, 100000},
    {"us-west-2", QUOTA_SYMMETRIC, 100000},
    {"eu-west-1", QUOTA_SYMMETRIC, 100000},
    {"cn-north-1", QUOTA_KEY_PAIR "RSA_2048", 1},
    {"cn-north-1", QUOTA_KEY_PAIR "RSA_3072", 0.5},
    {"cn-north-1", QUOTA_KEY_PAIR "RSA_4096", 0.1},
    {"cn-northwest-1", QUOTA_KEY_PAIR "RSA_2048", 1},
    {"cn-northwest-1", QUOTA_KEY_PAIR "RSA_3072", 0.5},
    {"cn-northwest-1", QUOTA_KEY_PAIR "RSA_4096", 0.1},
};

double throttle_quota(const char *name, const char *region)
{
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        if (strcmp(name, elsewhere[i].name) == 0 && strcmp(region, elsewhere[i].region) == 0)
            return elsewhere[i].rate;
    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++)
        if (strcmp(name, everywhere[i].name) == 0)
            return everywhere[i].rate;
    return 0;
}

const char *throttle_family(const struct key_spec *spec)
{
    if (spec->type == &key_type_rsa)
        return "RSA";
    if (spec->type == &key_type_ml_dsa)
        return "ML-DSA";
    return spec->type->asymmetric ? "ECC" : QUOTA_SYMMETRIC;
}
