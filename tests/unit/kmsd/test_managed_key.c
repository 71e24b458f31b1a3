// AWS managed keys: made once, usable through their service only, not the account's to change.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/json_read.h"
#include "kmsd/authz.h"
#include "kmsd/managed_key.h"

#define ACCOUNT "111122223333"
#define REGION "eu-central-1"
#define ALIAS SPAN("alias/aws/dynamodb")

static bool allowed(struct authz_question q, const char *action)
{
    struct decision d;
    q.action = action;
    authz_decide(&q, &d);
    return decision_allows(&d);
}

static void test_managed_key(void **state)
{
    (void)state;
    char why[256] = "";
    json_read_setup();
    struct rng *rng = rng_new(NULL);
    struct store *store = store_open(NULL, keyring_tables, STORE_SYNC_NORMAL, why, sizeof why);
    struct keyring_options o = {.store = store, .rng = rng};
    struct keyring *k = keyring_open(&o, why, sizeof why);
    assert_non_null(k);
    assert_true(managed_key_missing(k, ACCOUNT, REGION, ALIAS));
    assert_false(managed_key_missing(k, ACCOUNT, REGION, SPAN("alias/aws/none")));
    struct key *key = managed_key_create(k, ACCOUNT, REGION, ALIAS, 1);
    assert_non_null(key);
    assert_false(managed_key_missing(k, ACCOUNT, REGION, ALIAS));
    assert_true(managed_key_missing(k, ACCOUNT, "us-east-1", ALIAS));
    assert_int_equal(key->manager, KEY_MANAGER_AWS);
    assert_string_equal(key->description, "Default key that protects my DynamoDB data when no other key is defined");

    struct principal root = {.type = PRINCIPAL_ROOT, .arn = "arn:aws:iam::" ACCOUNT ":root", .full_rights = true};
    struct principal user = {.type = PRINCIPAL_USER, .arn = "arn:aws:iam::" ACCOUNT ":user/u"};
    memcpy(root.account, ACCOUNT, 13);
    memcpy(user.account, ACCOUNT, 13);
    struct authz_question direct = {
        .caller = &root, .account = ACCOUNT, .resource = key->arn, .key = key, .operation = GRANT_NONE};
    assert_true(allowed(direct, "kms:DescribeKey") && allowed(direct, "kms:GetKeyPolicy"));
    assert_false(allowed(direct, "kms:Decrypt") || allowed(direct, "kms:ScheduleKeyDeletion") ||
                 allowed(direct, "kms:PutKeyPolicy"));
    struct authz_question through = direct;
    through.caller = &user;
    through.on_behalf = true;
    through.via_service = "dynamodb." REGION ".amazonaws.com";
    assert_true(allowed(through, "kms:Decrypt") && allowed(through, "kms:CreateGrant"));
    assert_false(allowed(through, "kms:DisableKey"));
    through.via_service = "s3." REGION ".amazonaws.com";
    assert_false(allowed(through, "kms:Decrypt"));
    through.via_service = "dynamodb." REGION ".amazonaws.com";
    through.account = "444455556666";
    assert_false(allowed(through, "kms:Decrypt"));
    keyring_close(k);
    store_close(store);
    rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_managed_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
