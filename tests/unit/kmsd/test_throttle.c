// Request rates: buckets, AWS's figures, what --throttle may say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/clock.h"
#include "kmsd/throttle.h"
#include "kmsd/throttle_quotas.h"

static void take(struct throttle_bucket *b, double rate, double n, int64_t now_ns)
{
    assert_true(throttle_bucket_has(b, rate, n, now_ns));
    b->tokens -= n;
}

static void a_bucket_holds_a_second(void **state)
{
    struct throttle_bucket b = {0};
    int64_t now_ns = 5 * NS_PER_S;
    (void)state;
    for (int i = 0; i < 5; i++)
        take(&b, 5, 1, now_ns);
    assert_false(throttle_bucket_has(&b, 5, 1, now_ns));
    assert_false(throttle_bucket_has(&b, 5, 1, now_ns + NS_PER_S / 5 - 1000));
    take(&b, 5, 1, now_ns + NS_PER_S / 5 + 1000);
    assert_false(throttle_bucket_has(&b, 5, 1, now_ns + NS_PER_S / 5 + 1000));
    now_ns += 1000 * NS_PER_S; // never more than a second's
    for (int i = 0; i < 5; i++)
        take(&b, 5, 1, now_ns);
    assert_false(throttle_bucket_has(&b, 5, 1, now_ns));
}

static void less_than_one_a_second(void **state)
{
    struct throttle_bucket b = {0};
    (void)state;
    take(&b, 0.25, 1, NS_PER_S);
    assert_false(throttle_bucket_has(&b, 0.25, 1, 4 * NS_PER_S));
    take(&b, 0.25, 1, 5 * NS_PER_S);
    assert_false(throttle_bucket_has(&b, 0.25, 1, 5 * NS_PER_S));
}

static void figures_of_aws(void **state)
{
    static const struct {
        const char *name, *region;
        double rate;
    } rows[] = {
        {"symmetric", "us-east-1", 100000},
        {"symmetric", "eu-central-1", 20000},
        {"symmetric", "eu-north-1", 10000},
        {"RSA", "us-east-1", 1000},
        {"CreateKey", "us-east-1", 5},
        {"ListAliases", "cn-north-1", 500},
        {"GenerateDataKeyPair:RSA_4096", "us-east-1", 1},
        {"GenerateDataKeyPair:RSA_4096", "cn-north-1", 0.1},
        {"GenerateDataKeyPair:SM2", "cn-north-1", 25},
        {"GenerateDataKey", "us-east-1", 0}, // in the shared one
        {"Nonsense", "us-east-1", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(throttle_quota(rows[i].name, rows[i].region) == rows[i].rate);
}

static void families(void **state)
{
    static const char *const rows[][2] = {{"SYMMETRIC_DEFAULT", "symmetric"},
                                          {"HMAC_256", "symmetric"},
                                          {"RSA_3072", "RSA"},
                                          {"ECC_NIST_P256", "ECC"},
                                          {"ECC_NIST_EDWARDS25519", "ECC"},
                                          {"SM2", "ECC"},
                                          {"ML_DSA_44", "ML-DSA"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(throttle_family(key_spec_find(span_of(rows[i][0]))), rows[i][1]);
}

static void texts(void **state)
{
    static const char *const good[] = {"aws",
                                       "CreateKey=1",
                                       "aws,GenerateDataKey=5,CreateKey=0.5",
                                       "symmetric=10",
                                       "GenerateDataKeyPair:RSA_2048=3",
                                       "custom-key-store=7"};
    static const char *const bad[] = {"",           "AWS",         "aws,",          "CreateKey",       "CreateKey=",
                                      "=1",         "CreateKey=0", "CreateKey=-1",  "CreateKey=x",     "CreateKey=1x",
                                      "NoSuch=1",   "off",         "CreateKey=nan", "CreateKey=1e400", ",aws",
                                      "createkey=1"};
    char why[256];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct throttle *t = throttle_new(good[i], why, sizeof why);
        assert_non_null(t);
        throttle_free(t);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(throttle_new(bad[i], why, sizeof why));
        assert_non_null(strstr(why, "--throttle"));
    }
    throttle_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_holds_a_second),
        cmocka_unit_test(less_than_one_a_second),
        cmocka_unit_test(figures_of_aws),
        cmocka_unit_test(families),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
