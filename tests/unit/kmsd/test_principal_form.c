// Principals that a grant may name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kmsd/faults.h"
#include "kmsd/principal_form.h"

static void test_principals(void **state)
{
    (void)state;
    static const char *const good[] = {
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/path/alice",
        "arn:aws:iam::111122223333:role/app",
        "arn:aws-cn:iam::111122223333:role/app",
        "arn:aws:sts::111122223333:assumed-role/app/session",
        "arn:aws:sts::111122223333:federated-user/bob",
        "dynamodb.us-east-1.amazonaws.com",
    };
    static const char *const bad[] = {
        "alice",
        "111122223333",
        "arn:aws:iam::111122223333:group/g",
        "arn:aws:iam::111122223333:user/",
        "arn:aws:iam:us-east-1:111122223333:root",
        "arn:aws:iam::11112222333:root",
        "arn:aws:s3:::bucket",
        "dynamodb.us-east-1.example.com",
        "arn:aws:sts::111122223333:assumed-role/",
        "",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!principal_valid(span_of(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (principal_valid(span_of(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_true(service_principal_matches(SPAN("dynamodb.amazonaws.com")));
    assert_false(service_principal_matches(SPAN("dynamodb.com")));
    assert_false(service_principal_matches(SPAN("a..com")));
    assert_false(principal_matches(SPAN("arn:aws:iam::1:user/a b")));
}

static void test_grant_ids(void **state)
{
    (void)state;
    unsigned char id[GRANT_ID_SIZE];
    assert_null(grant_id_read(SPAN("f020fe75197b93991dc8491d6f19dd3cebb24ee62277a05914386724f3d48758"), id));
    assert_int_equal(id[0], 0xf0);
    assert_ptr_equal(grant_id_read(SPAN("F020fe75197b93991dc8491d6f19dd3cebb24ee62277a05914386724f3d48758"), id),
                     &fault_invalid_grant_id);
    assert_ptr_equal(grant_id_read(SPAN("f020"), id), &fault_invalid_grant_id);
    assert_ptr_equal(grant_id_read(SPAN("x020fe75197b93991dc8491d6f19dd3cebb24ee62277a05914386724f3d48758"), id),
                     &fault_invalid_grant_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_principals), cmocka_unit_test(test_grant_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
