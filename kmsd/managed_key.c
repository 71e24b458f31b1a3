// The table of AWS managed keys. A service that gets one of its own is a row here.
#include "kmsd/managed_key.h"

#include "common/auth/region.h"
#include "kmsd/arn.h"
#include "kmsd/key_type.h"
#include "kmsd/rotation.h"

static const struct managed_key {
    const char *alias;
    const char *service;
    const char *description;
} managed_keys[] = {
    {"alias/aws/dynamodb", "dynamodb", "Default key that protects my DynamoDB data when no other key is defined"},
};

static const struct managed_key *find(struct span alias)
{
    for (size_t i = 0; i < sizeof managed_keys / sizeof managed_keys[0]; i++)
        if (span_is(alias, managed_keys[i].alias))
            return &managed_keys[i];
    return NULL;
}

bool managed_key_missing(const struct keyring *k, const char *account, const char *region, struct span alias)
{
    char arn[KMS_ARN_SIZE];
    return find(alias) && arn_write(arn, span_of(region), account, alias) && !keyring_alias(k, span_of(arn));
}

// The policy that AWS fixes for such a key: its service on behalf of the account's principals, and reading for the
// rest.
static void write_policy(const struct managed_key *m, const char *account, const char *region, struct buf *b)
{
    buf_appendf(b,
                "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"auto-%s-1\",\n  \"Statement\" : [ {\n"
                "    \"Sid\" : \"Allow access through the service for all principals in the account\",\n"
                "    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"AWS\" : \"*\"\n    },\n"
                "    \"Action\" : [ \"kms:Encrypt\", \"kms:Decrypt\", \"kms:ReEncrypt*\", \"kms:GenerateDataKey*\", "
                "\"kms:CreateGrant\", \"kms:DescribeKey\" ],\n    \"Resource\" : \"*\",\n    \"Condition\" : {\n"
                "      \"StringEquals\" : {\n        \"kms:CallerAccount\" : \"%s\",\n"
                "        \"kms:ViaService\" : \"%s.%s.amazonaws.com\"\n      }\n    }\n  }, {\n",
                m->service, account, m->service, region);
    buf_appendf(b,
                "    \"Sid\" : \"Allow the account to read the key's metadata\",\n    \"Effect\" : \"Allow\",\n"
                "    \"Principal\" : {\n      \"AWS\" : \"arn:%s:iam::%s:root\"\n    },\n"
                "    \"Action\" : [ \"kms:Describe*\", \"kms:Get*\", \"kms:List*\", \"kms:RevokeGrant\" ],\n"
                "    \"Resource\" : \"*\"\n  }, {\n",
                region_partition(span_of(region)), account);
    buf_appendf(b,
                "    \"Sid\" : \"Allow the service to read the key's metadata\",\n    \"Effect\" : \"Allow\",\n"
                "    \"Principal\" : {\n      \"Service\" : \"%s.amazonaws.com\"\n    },\n"
                "    \"Action\" : [ \"kms:Describe*\", \"kms:Get*\", \"kms:List*\" ],\n"
                "    \"Resource\" : \"*\"\n  } ]\n}",
                m->service);
}

struct key *managed_key_create(struct keyring *k, const char *account, const char *region, struct span alias,
                               int64_t now_ns)
{
    const struct managed_key *m = find(alias);
    struct buf text;
    char why[256];
    buf_init(&text, KMS_POLICY_BYTES_MAX);
    write_policy(m, account, region, &text);
    const struct key_policy *policy = policy_pool_get(keyring_policies(k), buf_span(&text), why, sizeof why);
    buf_done(&text);
    if (!policy)
        return NULL;
    struct key_draft draft = {
        .account = account, .region = region, .spec = &key_specs[0], .policy = policy, .now_ns = now_ns};
    if (!draft.spec->type->make(draft.spec, &draft.material)) {
        policy_pool_put(keyring_policies(k), policy);
        return NULL;
    }
    struct key *key = keyring_create_key(k, &draft);
    key->manager = KEY_MANAGER_AWS;
    rotation_enable(key, ROTATION_DAYS_USUAL, now_ns);
    key_set_description(key, span_of(m->description));
    keyring_save_key(k, key);
    keyring_create_alias(k, key, alias, now_ns);
    return key;
}
