// Encryption contexts: the canonical form does not know order, and constraints compare as AWS says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kmsd/enc_context.h"

#define PAIR(k, v)                                                                                                     \
    {                                                                                                                  \
        {k, sizeof(k) - 1},                                                                                            \
        {                                                                                                              \
            v, sizeof(v) - 1                                                                                           \
        }                                                                                                              \
    }
#define MAP(array) ((struct str_map){array, sizeof(array) / sizeof *(array), true})

static struct str_pair ab[] = {PAIR("a", "1"), PAIR("b", "2")};
static struct str_pair ba[] = {PAIR("b", "2"), PAIR("a", "1")};
static struct str_pair upper[] = {PAIR("A", "1"), PAIR("b", "2")};
static struct str_pair value_case[] = {PAIR("a", "x")};
static struct str_pair value_case2[] = {PAIR("a", "X")};
static struct str_pair only_b[] = {PAIR("b", "2")};
static struct str_pair twice[] = {PAIR("a", "1"), PAIR("A", "2")};

static bool same_form(struct str_map x, struct str_map y)
{
    struct buf a, b;
    buf_init(&a, 100000);
    buf_init(&b, 100000);
    assert_true(enc_context_canonical(&x, &a) && enc_context_canonical(&y, &b));
    bool same = span_eq(buf_span(&a), buf_span(&b));
    buf_done(&a);
    buf_done(&b);
    return same;
}

static void test_canonical(void **state)
{
    (void)state;
    static struct str_pair joined[] = {PAIR("a", "1b2")}, shifted[] = {PAIR("a1", "b2")};
    assert_true(same_form(MAP(ab), MAP(ba)));
    assert_false(same_form(MAP(ab), MAP(upper)));
    assert_false(same_form(MAP(ab), MAP(only_b)));
    assert_false(same_form(MAP(joined), MAP(shifted)));
    static char big[9000];
    memset(big, 'x', sizeof big);
    struct str_pair huge[] = {{{big, sizeof big}, {"", 0}}};
    struct str_map map = MAP(huge);
    struct buf b;
    buf_init(&b, 100000);
    assert_false(enc_context_canonical(&map, &b));
    buf_done(&b);
}

static void test_comparisons(void **state)
{
    (void)state;
    struct str_map m_ab = MAP(ab), m_ba = MAP(ba), m_upper = MAP(upper), m_b = MAP(only_b), none = {0};
    struct str_map low = MAP(value_case), high = MAP(value_case2), dup = MAP(twice);
    assert_true(enc_context_equal(&m_ab, &m_ba, CONTEXT_CASE_EXACT));
    assert_true(enc_context_subset(&m_b, &m_ab, CONTEXT_CASE_EXACT));
    assert_false(enc_context_subset(&m_ab, &m_b, CONTEXT_CASE_EXACT));
    assert_true(enc_context_subset(&none, &m_b, CONTEXT_CASE_EXACT));
    assert_false(enc_context_equal(&m_b, &m_ab, CONTEXT_CASE_EXACT));
    assert_true(enc_context_equal(&m_ab, &m_upper, CONTEXT_CASE_IGNORE));
    assert_false(enc_context_equal(&m_ab, &m_upper, CONTEXT_CASE_EXACT));
    assert_false(enc_context_equal(&low, &high, CONTEXT_CASE_IGNORE));
    assert_true(enc_context_has_duplicates(&dup, CONTEXT_CASE_IGNORE));
    assert_false(enc_context_has_duplicates(&dup, CONTEXT_CASE_EXACT));
    assert_false(enc_context_equal(&dup, &m_ab, CONTEXT_CASE_IGNORE));
}

static void test_copy_is_sorted_and_owned(void **state)
{
    (void)state;
    struct str_map m = MAP(ba), copy = enc_context_copy(&m);
    struct span value;
    assert_true(span_is(copy.v[0].key, "a"));
    assert_true(copy.v[0].key.p != ba[1].key.p);
    assert_true(enc_context_value(&copy, SPAN("b"), &value) && span_is(value, "2"));
    assert_false(enc_context_value(&copy, SPAN("B"), &value));
    enc_context_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_copy_is_sorted_and_owned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
