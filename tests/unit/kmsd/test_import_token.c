// Import tokens: what is inside comes back, anything else is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kmsd/import_token.h"

static struct root_key *root;
static struct buf token;

static int setup(void **state)
{
    char why[256];
    (void)state;
    struct import_token t = {
        .arn = "arn:aws:kms:us-east-1:111122223333:key/k", .wrapping = WRAPPING_SM2PKE, .valid_to_ns = 5};
    root = root_key_open(NULL, true, why, sizeof why);
    buf_init(&token, IMPORT_TOKEN_MAX);
    if (!secret_copy(&t.wrapping_key, "wrapping key", 12))
        return -1;
    import_token_write(root, &t, &token);
    import_token_done(&t);
    return buf_ok(&token) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&token);
    root_key_free(root);
    return 0;
}

static bool accepted(const struct root_key *k, struct span bytes)
{
    struct import_token t;
    bool ok = import_token_read(k, bytes, &t);
    if (!ok)
        assert_int_equal(t.wrapping_key.n, 0);
    else
        import_token_done(&t);
    return ok;
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct import_token t;
    assert_true(import_token_read(root, buf_span(&token), &t));
    assert_string_equal(t.arn, "arn:aws:kms:us-east-1:111122223333:key/k");
    assert_int_equal(t.wrapping, WRAPPING_SM2PKE);
    assert_int_equal(t.valid_to_ns, 5);
    assert_true(span_eq(secret_span(&t.wrapping_key), SPAN("wrapping key")));
    assert_null(memmem(token.data, token.len, "wrapping", 8));
    import_token_done(&t);
}

static void test_anything_else_is_refused(void **state)
{
    (void)state;
    char why[256];
    struct root_key *other = root_key_open(NULL, true, why, sizeof why);
    for (size_t bit = 0; bit < token.len * 8; bit++) {
        token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
        assert_false(accepted(root, buf_span(&token)));
        token.data[bit / 8] = (char)(token.data[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t n = 0; n < token.len; n++)
        assert_false(accepted(root, (struct span){token.data, n}));
    assert_false(accepted(other, buf_span(&token)));
    assert_true(accepted(root, buf_span(&token)));
    root_key_free(other);
}

static void test_the_longest_fits(void **state)
{
    (void)state;
    struct buf out;
    struct import_token t = {.wrapping = WRAPPING_RSAES_OAEP_SHA_1}; // PKCS#8 of RSA_4096 has less than 2400 bytes
    memset(t.arn, 'a', sizeof t.arn - 1);
    assert_true(secret_init(&t.wrapping_key, 2400));
    buf_init(&out, IMPORT_TOKEN_MAX);
    import_token_write(root, &t, &out);
    assert_true(buf_ok(&out) && accepted(root, buf_span(&out)));
    import_token_done(&t);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_anything_else_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_longest_fits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
