// Ids have their forms, seeds repeat them, and nothing repeats without a seed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ids.h"

static void test_seed_repeats_ids(void **state)
{
    (void)state;
    struct rng *a = rng_new("lab 1"), *b = rng_new("lab 1"), *c = rng_new("lab 2"), *d = rng_new("");
    char x[UUID_TEXT_SIZE], y[UUID_TEXT_SIZE], z[UUID_TEXT_SIZE], empty[UUID_TEXT_SIZE];
    for (int i = 0; i < 1000; i++) { // beyond the pool's size
        id_uuid(a, x);
        id_uuid(b, y);
        id_uuid(c, z);
        id_uuid(d, empty);
        assert_string_equal(x, y);
        assert_string_not_equal(x, z);
        assert_string_not_equal(x, empty);
    }
    rng_free(a);
    rng_free(b);
    rng_free(c);
    rng_free(d);
}

// Fixtures are made with seeds: a change of the stream changes them all.
static void test_stream_is_stable(void **state)
{
    (void)state;
    struct rng *r = rng_new("fixture");
    char uuid[UUID_TEXT_SIZE];
    id_uuid(r, uuid);
    assert_string_equal(uuid, "daa930bc-e69d-4aad-b08f-646a1f6683b0");
    rng_free(r);
}

static void test_however_drawn_the_stream_is_one(void **state)
{
    (void)state;
    struct rng *a = rng_new("x"), *b = rng_new("x");
    static unsigned char whole[20000], parts[20000];
    rng_id(a, whole, sizeof whole);
    for (size_t at = 0, n = 1; at < sizeof parts; at += n, n = n * 2 % 5003) {
        n = n < sizeof parts - at ? n : sizeof parts - at;
        rng_id(b, parts + at, n);
    }
    assert_memory_equal(whole, parts, sizeof whole);
    rng_free(a);
    rng_free(b);
}

static void test_unseeded_and_secret_differ(void **state)
{
    (void)state;
    struct rng *a = rng_new(NULL), *b = rng_new(NULL);
    unsigned char x[32], y[32];
    rng_id(a, x, sizeof x);
    rng_id(b, y, sizeof y);
    assert_memory_not_equal(x, y, sizeof x);
    rng_secret(x, sizeof x);
    rng_secret(y, sizeof y);
    assert_memory_not_equal(x, y, sizeof x);
    rng_secret(NULL, 0);
    rng_free(a);
    rng_free(b);
}

static int order(const void *a, const void *b)
{
    return memcmp(a, b, 28);
}

// Secrets are drawn in batches: none may be given twice, also at a batch's end, of a size that does not divide it.
static void test_no_secret_is_given_twice(void **state)
{
    (void)state;
    static unsigned char drawn[2000][28];
    static const unsigned char zeros[28];
    for (size_t i = 0; i < 2000; i++)
        rng_secret(drawn[i], sizeof drawn[i]);
    qsort(drawn, 2000, sizeof drawn[0], order);
    assert_memory_not_equal(drawn[0], zeros, sizeof zeros);
    for (size_t i = 1; i < 2000; i++)
        assert_memory_not_equal(drawn[i - 1], drawn[i], sizeof drawn[i]);
}

#define DRAWS 5000

struct drawer {
    struct rng *rng;
    uint64_t drawn[DRAWS];
};

static void *draw(void *arg)
{
    struct drawer *d = arg;
    for (size_t i = 0; i < DRAWS; i++)
        rng_id(d->rng, &d->drawn[i], sizeof d->drawn[i]);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_threads_never_share_bytes(void **state)
{
    (void)state;
    static struct drawer d[2];
    static uint64_t all[2 * DRAWS];
    pthread_t other;
    d[0].rng = d[1].rng = rng_new("threads");
    assert_int_equal(pthread_create(&other, NULL, draw, &d[1]), 0);
    draw(&d[0]);
    pthread_join(other, NULL);
    memcpy(all, d[0].drawn, sizeof d[0].drawn);
    memcpy(all + DRAWS, d[1].drawn, sizeof d[1].drawn);
    qsort(all, 2 * DRAWS, sizeof *all, by_value);
    for (size_t i = 1; i < 2 * DRAWS; i++)
        assert_true(all[i] != all[i - 1]);
    rng_free(d[0].rng);
}

static void test_uuid(void **state)
{
    (void)state;
    struct rng *r = rng_new(NULL);
    char text[UUID_TEXT_SIZE];
    for (int i = 0; i < 100; i++) {
        id_uuid(r, text);
        assert_true(id_is_uuid(span_of(text)));
        assert_int_equal(strspn(text, "0123456789abcdef-"), 36);
        assert_int_equal(text[14], '4');
        assert_non_null(strchr("89ab", text[19]));
    }
    assert_true(id_is_uuid(SPAN("1234ABCD-12ab-34cd-56ef-1234567890ab")));
    assert_false(id_is_uuid(SPAN("")));
    assert_false(id_is_uuid(SPAN("1234abcd-12ab-34cd-56ef-1234567890a")));
    assert_false(id_is_uuid(SPAN("1234abcd-12ab-34cd-56ef-1234567890abc")));
    assert_false(id_is_uuid(SPAN("1234abcd-12ab-34cd-56ef-1234567890ag")));
    assert_false(id_is_uuid(SPAN("1234abcd012ab-34cd-56ef-1234567890ab")));
    assert_false(id_is_uuid(SPAN("1234abcd-12ab-34cd-56ef-123456789\0ab")));
    rng_free(r);
}

static void test_other_forms(void **state)
{
    (void)state;
    struct rng *r = rng_new(NULL);
    char text[256], again[22];
    id_dynamodb_request(r, text);
    assert_int_equal(strlen(text), 52);
    assert_int_equal(strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUV"), 52);
    assert_string_equal(text + 26, "VV4KQNSO5AEMVJF66Q9ASUAAJG");
    id_hex(r, 100, text);
    assert_int_equal(strlen(text), 200);
    assert_int_equal(strspn(text, "0123456789abcdef"), 200);
    id_hex(r, 0, text);
    assert_string_equal(text, "");
    id_alnum(r, 100, text);
    assert_int_equal(strlen(text), 100);
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), 100);
    id_principal("AIDA", "arn:aws:iam::111122223333:user/Alice", text);
    id_principal("AIDA", "arn:aws:iam::111122223333:user/Alice", again);
    assert_string_equal(text, again);
    assert_int_equal(strlen(text), 21);
    assert_int_equal(strspn(text + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 17);
    id_principal("AIDA", "arn:aws:iam::111122223333:user/Bob", again);
    assert_string_not_equal(text, again);
    rng_free(r);
}

static void test_account(void **state)
{
    (void)state;
    assert_true(id_is_account(SPAN("000000000000")) && id_is_account(SPAN("111122223333")));
    assert_false(id_is_account(SPAN("")) || id_is_account(SPAN("11112222333")) || id_is_account(SPAN("1111222233334")));
    assert_false(id_is_account(SPAN("11112222333x")) || id_is_account(SPAN("-11122223333")) ||
                 id_is_account(SPAN("11112222333\0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_repeats_ids),
        cmocka_unit_test(test_stream_is_stable),
        cmocka_unit_test(test_however_drawn_the_stream_is_one),
        cmocka_unit_test(test_unseeded_and_secret_differ),
        cmocka_unit_test(test_no_secret_is_given_twice),
        cmocka_unit_test(test_threads_never_share_bytes),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_account),
        cmocka_unit_test(test_other_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
