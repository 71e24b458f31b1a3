// Grant tokens: AWS's form, authenticity, and the GrantId inside.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/rng.h"
#include "kmsd/grant_token.h"

static struct root_key *root;
static unsigned char grant_id[GRANT_ID_SIZE];

static int setup(void **state)
{
    char why[256];
    (void)state;
    root = root_key_open(NULL, true, why, sizeof why);
    rng_secret(grant_id, sizeof grant_id);
    return root ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    root_key_free(root);
    return 0;
}

static bool accepted(const struct root_key *k, const char *text, size_t n)
{
    unsigned char out[GRANT_ID_SIZE];
    return grant_token_read(k, (struct span){text, n}, out);
}

static void test_form(void **state)
{
    (void)state;
    struct buf text;
    unsigned char bytes[400], out[GRANT_ID_SIZE];
    size_t n = sizeof bytes;
    buf_init(&text, 4096);
    assert_true(grant_token_write(root, grant_id, &text));
    assert_int_equal(text.len, 491);
    assert_true(span_starts(buf_span(&text), "AQpA"));
    assert_true(base64url_decode(buf_span(&text), bytes, &n));
    assert_int_equal(n, 368);
    char hex[65];
    hex_encode(bytes + 75, 32, hex); // the embedded blob names the wrapping key that the text names
    assert_memory_equal(bytes + 3, hex, 64);
    assert_memory_equal(bytes + 336, grant_id, GRANT_ID_SIZE);
    assert_true(grant_token_read(root, buf_span(&text), out));
    assert_memory_equal(out, grant_id, GRANT_ID_SIZE);
    buf_done(&text);
}

static void test_any_changed_bit_is_refused(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 4096);
    assert_true(grant_token_write(root, grant_id, &text));
    for (size_t bit = 0; bit < text.len * 8; bit++) {
        text.data[bit / 8] = (char)(text.data[bit / 8] ^ (1 << bit % 8));
        assert_false(accepted(root, text.data, text.len));
        text.data[bit / 8] = (char)(text.data[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t n = 0; n < text.len; n++)
        assert_false(accepted(root, text.data, n));
    assert_true(accepted(root, text.data, text.len));
    buf_done(&text);
}

static void test_tokens_differ_and_other_root_keys_refuse(void **state)
{
    (void)state;
    struct buf a, b;
    char why[256];
    struct root_key *other = root_key_open(NULL, true, why, sizeof why);
    buf_init(&a, 4096);
    buf_init(&b, 4096);
    assert_true(grant_token_write(root, grant_id, &a) && grant_token_write(root, grant_id, &b));
    assert_false(span_eq(buf_span(&a), buf_span(&b)));
    assert_true(accepted(root, b.data, b.len));
    assert_false(accepted(other, b.data, b.len));
    root_key_free(other);
    buf_done(&a);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_form, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_changed_bit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens_differ_and_other_root_keys_refuse, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
