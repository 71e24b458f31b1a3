// Decisions: which ones allow, their words, and AWS's sentences for refusals.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/auth/decision.h"
#include "common/auth/principal.h"

#define USER "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: kms:Decrypt "
#define KEY "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define UNKNOWN                                                                                                        \
    "because the resource does not exist in this Region, no resource-based policies allow access, or a "               \
    "resource-based policy explicitly denies access"

static void test_sentences(void **state)
{
    (void)state;
    static const struct {
        enum decision_reason reason;
        const char *resource, *sentence;
    } rows[] = {
        {DECISION_DENY_RESOURCE_POLICY, KEY,
         USER "on resource: " KEY " with an explicit deny in a resource-based policy"},
        {DECISION_DENY_IDENTITY_POLICY, KEY,
         USER "on resource: " KEY " with an explicit deny in an identity-based policy"},
        {DECISION_NO_RESOURCE_POLICY, KEY,
         USER "on resource: " KEY " because no resource-based policy allows the kms:Decrypt action"},
        {DECISION_NO_IDENTITY_POLICY, KEY,
         USER "on resource: " KEY " because no identity-based policy allows the kms:Decrypt action"},
        {DECISION_NO_IDENTITY_POLICY, "*",
         USER "on resource: * because no identity-based policy allows the kms:Decrypt action"},
        {DECISION_NO_IDENTITY_POLICY, "", USER "because no identity-based policy allows the kms:Decrypt action"},
        {DECISION_UNKNOWN_RESOURCE, KEY, USER "on this resource " UNKNOWN},
        {DECISION_UNKNOWN_RESOURCE, NULL, USER "on the resource associated with this ciphertext " UNKNOWN},
    };
    struct principal alice = {.type = PRINCIPAL_USER, .arn = "arn:aws:iam::111122223333:user/alice"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decision d = {.reason = rows[i].reason};
        struct buf out;
        buf_init(&out, 4096);
        assert_false(decision_allows(&d));
        assert_true(decision_sentence(&d, &alice, "kms:Decrypt", rows[i].resource, &out));
        assert_string_equal(buf_str(&out), rows[i].sentence);
        buf_done(&out);
        buf_init(&out, 40);
        assert_false(decision_sentence(&d, &alice, "kms:Decrypt", rows[i].resource, &out));
        buf_done(&out);
    }
}

static void test_words(void **state)
{
    (void)state;
    const char *seen[DECISION_UNKNOWN_RESOURCE + 1];
    for (int reason = DECISION_NONE; reason <= DECISION_UNKNOWN_RESOURCE; reason++) {
        struct decision d = {.reason = (enum decision_reason)reason};
        seen[reason] = decision_word(&d);
        assert_non_null(seen[reason]);
        for (int before = DECISION_NONE; before < reason; before++)
            assert_string_not_equal(seen[before], seen[reason]);
        assert_int_equal(decision_allows(&d), reason >= DECISION_FULL_RIGHTS && reason <= DECISION_RETIRER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sentences), cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
