// The decision: its order, and who is who.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/json_read.h"
#include "kmsd/authz.h"

#define ACCOUNT "111122223333"
#define OTHER "444455556666"
#define ROOT_OF(account) "arn:aws:iam::" account ":root"
#define DELEGATES                                                                                                      \
    "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" ROOT_OF(                                         \
        ACCOUNT) "\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"
#define STATEMENT(effect, principal, action, more)                                                                     \
    "{\"Statement\":[{\"Sid\":\"S\",\"Effect\":\"" effect "\",\"Principal\":" principal ",\"Action\":\"" action        \
    "\",\"Resource\":\"*\"" more "}]}"
#define IDENTITY(effect, action)                                                                                       \
    "{\"Statement\":[{\"Effect\":\"" effect "\",\"Action\":\"" action "\",\"Resource\":\"*\"}]}"
#define ALICE "{\"AWS\":\"arn:aws:iam::" ACCOUNT ":user/alice\"}"

static struct policy_pool *pool;
static struct key *key;
static const struct policy *identity;
static struct principal caller;
static struct authz_question q;

static int setup(void **state)
{
    (void)state;
    json_read_setup();
    pool = policy_pool_new();
    key = key_new(ACCOUNT, SPAN("us-east-1"), "1234abcd-12ab-34cd-56ef-1234567890ab");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    key_free(key, pool);
    policy_pool_free(pool);
    policy_free((struct policy *)(uintptr_t)identity);
    identity = NULL;
    return 0;
}

static void set_key_policy(const char *text)
{
    char why[256] = "";
    policy_pool_put(pool, key->policy);
    key->policy = policy_pool_get(pool, span_of(text), why, sizeof why);
    if (!key->policy)
        fail_msg("%s: %s", text, why);
}

static void set_identity(const char *text)
{
    char why[256] = "";
    policy_free((struct policy *)(uintptr_t)identity);
    identity = text ? policy_parse(span_of(text), POLICY_IDENTITY, why, sizeof why) : NULL;
    if (text && !identity)
        fail_msg("%s: %s", text, why);
    caller.policies = &identity;
    caller.policies_n = text ? 1 : 0;
}

static void set_user(const char *account, const char *arn)
{
    caller = (struct principal){.type = PRINCIPAL_USER, .arn = arn, .principal_id = "AIDA", .name = "x"};
    memcpy(caller.account, account, 13);
    set_identity(NULL);
    q = (struct authz_question){.caller = &caller,
                                .account = caller.account,
                                .action = "kms:Decrypt",
                                .resource = key->arn,
                                .key = key,
                                .operation = GRANT_DECRYPT};
}

static void alice(void)
{
    set_user(ACCOUNT, "arn:aws:iam::" ACCOUNT ":user/alice");
}

static enum decision_reason reason(void)
{
    struct decision d;
    authz_decide(&q, &d);
    return d.reason;
}

static struct grant *give_grant(const char *grantee, uint32_t operations)
{
    static unsigned char next;
    struct grant *g = grant_new();
    g->grantee = strdup(grantee);
    g->operations = operations;
    g->key = key;
    memcpy(g->issuing_account, ACCOUNT, 13);
    g->id[0] = ++next;
    grant_set_add(&key->grants, g);
    return g;
}

static void test_same_account(void **state)
{
    (void)state;
    alice();
    set_key_policy(DELEGATES);
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
    set_identity(IDENTITY("Allow", "kms:Dec*"));
    assert_int_equal(reason(), DECISION_IDENTITY_POLICY);
    set_identity(IDENTITY("Deny", "kms:Decrypt"));
    assert_int_equal(reason(), DECISION_DENY_IDENTITY_POLICY);
    // A key policy that names somebody else and not the account leaves identity policies without effect.
    set_identity(IDENTITY("Allow", "*"));
    set_key_policy(STATEMENT("Allow", "{\"AWS\":\"arn:aws:iam::" ACCOUNT ":user/bob\"}", "kms:*", ""));
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
    // One that names the caller needs no identity policy.
    set_identity(NULL);
    set_key_policy(STATEMENT("Allow", ALICE, "kms:Decrypt", ""));
    assert_int_equal(reason(), DECISION_RESOURCE_POLICY);
}

static void test_explicit_denies_win(void **state)
{
    (void)state;
    alice();
    set_key_policy(STATEMENT("Deny", "\"*\"", "kms:Decrypt", ""));
    set_identity(IDENTITY("Allow", "*"));
    give_grant(caller.arn, GRANT_BIT(GRANT_DECRYPT));
    assert_int_equal(reason(), DECISION_DENY_RESOURCE_POLICY);
    set_key_policy(DELEGATES);
    set_identity(IDENTITY("Deny", "kms:*"));
    assert_int_equal(reason(), DECISION_DENY_IDENTITY_POLICY);
}

static void test_root(void **state)
{
    (void)state;
    set_user(ACCOUNT, ROOT_OF(ACCOUNT));
    caller.type = PRINCIPAL_ROOT;
    caller.full_rights = true;
    set_key_policy(DELEGATES);
    assert_true(reason() == DECISION_FULL_RIGHTS || reason() == DECISION_RESOURCE_POLICY);
    // The root has no right that the key policy does not give.
    set_key_policy(STATEMENT("Allow", ALICE, "kms:*", ""));
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
}

static void test_grants(void **state)
{
    (void)state;
    alice();
    set_key_policy(DELEGATES);
    struct grant *g = give_grant(caller.arn, GRANT_BIT(GRANT_DECRYPT));
    assert_int_equal(reason(), DECISION_GRANT);
    q.operation = GRANT_ENCRYPT;
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
    q.operation = GRANT_NONE;
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
    q.operation = GRANT_DECRYPT;
    // Before the delay is over only the token makes it work.
    q.now_ns = 100;
    g->created_ns = 99;
    q.grant_delay_ns = 10;
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
    memcpy(q.tokens[0], g->id, sizeof g->id);
    q.tokens_n = 1;
    assert_int_equal(reason(), DECISION_GRANT);
    // A token does not help anybody else.
    caller.arn = "arn:aws:iam::" ACCOUNT ":user/bob";
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
}

static void test_grantees(void **state)
{
    (void)state;
    set_key_policy(DELEGATES);
    set_user(ACCOUNT, "arn:aws:sts::" ACCOUNT ":assumed-role/app/i-1");
    caller.type = PRINCIPAL_ROLE_SESSION;
    caller.role_arn = "arn:aws:iam::" ACCOUNT ":role/app";
    give_grant("arn:aws:iam::" ACCOUNT ":role/app", GRANT_BIT(GRANT_DECRYPT));
    assert_int_equal(reason(), DECISION_GRANT);
    caller.role_arn = "arn:aws:iam::" ACCOUNT ":role/other";
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
    give_grant("arn:aws:sts::" ACCOUNT ":assumed-role/app/i-1", GRANT_BIT(GRANT_DECRYPT));
    assert_int_equal(reason(), DECISION_GRANT);
}

static void test_grant_to_an_account_is_delegated(void **state)
{
    (void)state;
    set_key_policy(DELEGATES);
    give_grant(ROOT_OF(OTHER), GRANT_BIT(GRANT_DECRYPT));
    set_user(OTHER, "arn:aws:iam::" OTHER ":user/carol");
    assert_false(reason() == DECISION_GRANT);
    set_identity(IDENTITY("Allow", "kms:Decrypt"));
    assert_int_equal(reason(), DECISION_GRANT);
}

static void test_other_account(void **state)
{
    (void)state;
    set_user(OTHER, "arn:aws:iam::" OTHER ":user/carol");
    set_key_policy(STATEMENT("Allow", "{\"AWS\":\"arn:aws:iam::" OTHER ":user/carol\"}", "kms:*", ""));
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
    set_identity(IDENTITY("Allow", "kms:Decrypt"));
    assert_true(reason() == DECISION_RESOURCE_POLICY || reason() == DECISION_IDENTITY_POLICY);
    set_key_policy(DELEGATES); // to the key's account, not to this one
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
    // A grant needs no policy at all.
    set_identity(NULL);
    give_grant(caller.arn, GRANT_BIT(GRANT_DECRYPT));
    assert_int_equal(reason(), DECISION_GRANT);
}

static void test_services_have_grants_and_key_policies_only(void **state)
{
    (void)state;
    set_user(ACCOUNT, "dynamodb.amazonaws.com");
    caller.type = PRINCIPAL_SERVICE;
    caller.account[0] = '\0';
    caller.service = "dynamodb";
    q.account = ACCOUNT;
    q.via_service = "dynamodb.us-east-1.amazonaws.com";
    q.service_principal = "dynamodb.amazonaws.com";
    set_key_policy(DELEGATES);
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
    give_grant("dynamodb.us-east-1.amazonaws.com", GRANT_BIT(GRANT_DECRYPT));
    assert_int_equal(reason(), DECISION_GRANT);
    q.operation = GRANT_NONE;
    q.action = "kms:DescribeKey";
    set_key_policy(STATEMENT("Allow", "{\"Service\":\"dynamodb.amazonaws.com\"}", "kms:Describe*", ""));
    assert_int_equal(reason(), DECISION_RESOURCE_POLICY);
    q.key = NULL;
    q.action = "kms:ListKeys";
    q.resource = "*";
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
}

static void test_conditions(void **state)
{
    (void)state;
    static struct str_pair pairs[] = {{{"Project", 7}, {"x", 1}}};
    struct str_map context = {pairs, 1, true};
    alice();
    set_key_policy(STATEMENT("Allow", "\"*\"", "kms:*",
                             ",\"Condition\":{\"StringEquals\":{\"kms:CallerAccount\":\"" ACCOUNT
                             "\",\"kms:ViaService\":\"dynamodb.us-east-1.amazonaws.com\"}}"));
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
    q.via_service = "dynamodb.us-east-1.amazonaws.com";
    q.on_behalf = true;
    assert_int_equal(reason(), DECISION_RESOURCE_POLICY);
    set_key_policy(STATEMENT("Allow", ALICE, "kms:*",
                             ",\"Condition\":{\"StringLike\":{\"kms:EncryptionContext:Project\":\"x*\"}}"));
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
    q.context = &context;
    assert_int_equal(reason(), DECISION_RESOURCE_POLICY);
    static const struct attestation enclave = {.platform = ATTESTATION_ENCLAVE, .pcrs = {[0] = "ab", [2] = "cd"}};
    set_key_policy(
        STATEMENT("Allow", ALICE, "kms:*",
                  ",\"Condition\":{\"StringEqualsIgnoreCase\":{\"kms:RecipientAttestation:ImageSha384\":\"AB\","
                  "\"kms:RecipientAttestation:PCR2\":\"CD\"}}"));
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
    q.attestation = &enclave;
    assert_int_equal(reason(), DECISION_RESOURCE_POLICY);
    set_key_policy(STATEMENT("Allow", ALICE, "kms:CreateGrant",
                             ",\"Condition\":{\"Bool\":{\"kms:GrantIsForAWSResource\":\"true\"}}"));
    q.action = "kms:CreateGrant";
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
    q.grant_management = true;
    assert_int_equal(reason(), DECISION_RESOURCE_POLICY);
    q.via_service = NULL;
    assert_int_equal(reason(), DECISION_NO_RESOURCE_POLICY);
}

static void test_parent_grants(void **state)
{
    (void)state;
    static struct str_pair one[] = {{{"a", 1}, {"1", 1}}};
    struct grant child = {.operations = GRANT_BIT(GRANT_DECRYPT), .constraint = GRANT_CONTEXT_SUBSET};
    struct str_map pairs = {one, 1, true};
    alice();
    set_key_policy(DELEGATES);
    struct grant *parent = grant_new();
    parent->grantee = strdup(caller.arn);
    parent->operations = GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_CREATE_GRANT);
    parent->constraint = GRANT_CONTEXT_SUBSET;
    parent->context = enc_context_copy(&pairs);
    parent->id[0] = 200;
    grant_set_add(&key->grants, parent);
    child.context = pairs;
    q.action = "kms:CreateGrant";
    q.operation = GRANT_CREATE_GRANT;
    q.context = &child.context;
    q.child = &child;
    assert_int_equal(reason(), DECISION_GRANT);
    child.operations |= GRANT_BIT(GRANT_ENCRYPT);
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
    child.operations = GRANT_BIT(GRANT_DECRYPT);
    child.constraint = GRANT_UNCONSTRAINED;
    child.context = (struct str_map){0};
    assert_int_equal(reason(), DECISION_NO_IDENTITY_POLICY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_same_account),  TEST(test_explicit_denies_win),
        TEST(test_root),          TEST(test_grants),
        TEST(test_grantees),      TEST(test_grant_to_an_account_is_delegated),
        TEST(test_other_account), TEST(test_services_have_grants_and_key_policies_only),
        TEST(test_conditions),    TEST(test_parent_grants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
