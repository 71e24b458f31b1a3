// Ciphertext blobs: AWS's lengths and fingerprints, and that no changed bit is ever accepted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/rng.h"
#include "kmsd/ciphertext.h"
#include "kmsd/limits.h"

static unsigned char id[BACKING_ID_SIZE], key[32];
static const struct span context = {"context", 7};

static unsigned char *seal(size_t n, size_t *size)
{
    char *plain = calloc(1, n + 1);
    *size = ciphertext_size(n);
    unsigned char *blob = malloc(*size);
    memset(plain, 'p', n);
    ciphertext_seal(id, key, context, (struct span){plain, n}, blob);
    free(plain);
    return blob;
}

static bool opens(const unsigned char *blob, size_t size, struct span with)
{
    struct ciphertext c;
    unsigned char plain[KMS_PLAINTEXT_MAX];
    return ciphertext_parse((struct span){(const char *)blob, size}, &c) && ciphertext_open(&c, key, with, plain);
}

static int setup(void **state)
{
    (void)state;
    rng_secret(id, sizeof id);
    rng_secret(key, sizeof key);
    return 0;
}

static void test_lengths_are_those_of_aws(void **state)
{
    static const size_t known[][2] = {{10, 162}, {11, 163}, {16, 168}, {32, 184}, {64, 220}, {518, 680}, {4096, 4258}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(ciphertext_size(known[i][0]), known[i][1]);
}

static void test_fingerprints(void **state)
{
    (void)state;
    size_t size;
    unsigned char *blob = seal(32, &size);
    struct buf text;
    buf_init(&text, 4096);
    base64_encode(&text, blob, size);
    const char *s = buf_str(&text);
    assert_true(strncmp(s, "AQIBAH", 6) == 0 || strncmp(s, "AQICAH", 6) == 0 || strncmp(s, "AQIDAH", 6) == 0);
    assert_non_null(strstr(s, "AAAAfjB8BgkqhkiG9w0BBwagbzBtAgEAMGgGCSqGSIb3DQEHATAeBglghkgBZQMEAS4wEQQM"));
    const char *tail = strstr(s, "AgEQgD"); // then s, t, u or v: two of its bits are the content's
    assert_true(tail && tail[6] >= 's' && tail[6] <= 'v');
    buf_done(&text);
    free(blob);
}

static void test_every_size_round_trips(void **state)
{
    (void)state;
    for (size_t n = 0; n <= KMS_PLAINTEXT_MAX; n += n < 300 ? 1 : 61) {
        size_t size;
        unsigned char *blob = seal(n, &size), plain[KMS_PLAINTEXT_MAX];
        struct ciphertext c;
        assert_true(ciphertext_parse((struct span){(char *)blob, size}, &c));
        assert_int_equal(c.plaintext_n, n);
        assert_memory_equal(c.backing_id, id, sizeof id);
        assert_true(ciphertext_open(&c, key, context, plain));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(plain[i], 'p');
        free(blob);
    }
}

static void test_any_changed_bit_is_refused(void **state)
{
    (void)state;
    size_t size;
    unsigned char *blob = seal(32, &size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        blob[bit / 8] ^= (unsigned char)(1u << bit % 8);
        // A changed backing key id names another key; even asked of the right one it must not open.
        assert_false(opens(blob, size, context));
        blob[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_true(opens(blob, size, context));
    free(blob);
}

static void test_cut_or_extended_is_refused(void **state)
{
    (void)state;
    size_t size;
    unsigned char *blob = seal(100, &size);
    for (size_t n = 0; n < size; n++)
        assert_false(opens(blob, n, context));
    unsigned char *longer = calloc(1, size + 8);
    memcpy(longer, blob, size);
    for (size_t n = 1; n <= 8; n++)
        assert_false(opens(longer, size + n, context));
    free(longer);
    free(blob);
}

static void test_context_is_bound(void **state)
{
    (void)state;
    size_t size;
    unsigned char *blob = seal(32, &size);
    assert_false(opens(blob, size, (struct span){"Context", 7}));
    assert_false(opens(blob, size, (struct span){"", 0}));
    assert_true(opens(blob, size, context));
    free(blob);
}

static void test_two_messages_differ(void **state)
{
    (void)state;
    size_t size;
    unsigned char *a = seal(32, &size), *b = seal(32, &size);
    assert_memory_not_equal(a + 38, b + 38, 16);
    assert_memory_not_equal(a + size - 59, b + size - 59, 59);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lengths_are_those_of_aws, setup),
        cmocka_unit_test_setup(test_fingerprints, setup),
        cmocka_unit_test_setup(test_every_size_round_trips, setup),
        cmocka_unit_test_setup(test_any_changed_bit_is_refused, setup),
        cmocka_unit_test_setup(test_cut_or_extended_is_refused, setup),
        cmocka_unit_test_setup(test_context_is_bound, setup),
        cmocka_unit_test_setup(test_two_messages_differ, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
