// Makes AWS managed keys. Which there are: managed_key_table.c.
#include "kmsd/managed_key.h"

#include <stdio.h>

#include "common/auth/region.h"
#include "kmsd/arn.h"
#include "kmsd/key_type.h"
#include "kmsd/managed_key_table.h"
#include "kmsd/rotation.h"

static const struct managed_key *find(struct span alias)
{
    for (size_t i = 0; i < managed_keys_n; i++)
        if (span_is(alias, managed_keys[i].alias))
            return &managed_keys[i];
    return NULL;
}

bool managed_key_missing(const struct keyring *k, const char *account, const char *region, struct span alias)
{
    char arn[KMS_ARN_SIZE];
    return find(alias) && arn_write(arn, span_of(region), account, alias) && !keyring_alias(k, span_of(arn));
}

const char *managed_key_predefined_after(struct span name)
{
    for (size_t i = 0; i < managed_keys_n; i++)
        if (managed_keys[i].predefined && span_cmp(span_of(managed_keys[i].alias), name) > 0)
            return managed_keys[i].alias;
    return NULL;
}

// One action is a text, several are a list, as AWS writes it.
static void write_actions(struct buf *b, const char *const *actions)
{
    bool one = !actions[1];
    buf_append_str(b, one ? "    \"Action\" : " : "    \"Action\" : [ ");
    for (size_t i = 0; actions[i]; i++)
        buf_appendf(b, "%s\"%s\"", i ? ", " : "", actions[i]);
    buf_append_str(b, one ? ",\n" : " ],\n");
}

static void write_statement(struct buf *b, const char *sid, const char *principal_type, const char *principal,
                            const char *const *actions)
{
    buf_appendf(
        b,
        "{\n    \"Sid\" : \"%s\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"%s\" : \"%s\"\n    },\n",
        sid, principal_type, principal);
    write_actions(b, actions);
    buf_append_str(b, "    \"Resource\" : \"*\"");
}

static void write_use(struct buf *b, const struct managed_use *u, const char *account, const char *region)
{
    write_statement(b, u->sid, "AWS", "*", u->actions);
    buf_appendf(b,
                ",\n    \"Condition\" : {\n      \"StringEquals\" : {\n        \"kms:CallerAccount\" : \"%s\"%s"
                "        \"kms:ViaService\" : \"%s.%s.amazonaws.com\"\n      }\n    }\n  }, ",
                account, u->any_region ? "\n      },\n      \"StringLike\" : {\n" : ",\n", u->service,
                u->any_region ? "*" : region);
}

// The policy that AWS fixes for such a key: its service on behalf of the account's principals, and reading for the
// rest.
static void write_policy(const struct managed_key *m, const char *account, const char *region, struct buf *b)
{
    static const char *const reads[] = {"kms:Describe*", "kms:Get*", "kms:List*", NULL};
    static const char *const reads_and_revokes[] = {"kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant", NULL};
    char root[64];
    snprintf(root, sizeof root, "arn:%s:iam::%s:root", region_partition(span_of(region)), account);
    buf_appendf(b, "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"%s\",\n  \"Statement\" : [ ", m->policy_id);
    for (size_t i = 0; i < MANAGED_USES_MAX && m->uses[i].sid; i++)
        write_use(b, &m->uses[i], account, region);
    write_statement(b, m->account_sid, "AWS", root, m->revokes ? reads_and_revokes : reads);
    if (m->service_sid) {
        buf_append_str(b, "\n  }, ");
        write_statement(b, m->service_sid, "Service", m->service_principal, reads);
    }
    buf_append_str(b, "\n  } ]\n}");
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
