// Secrets move without leaving a copy behind and compare by all their bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/secret.h"

// Lets the address sanitizer's allocator fail as the C library's does.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_take_empties_the_source(void **state)
{
    (void)state;
    struct secret a, b = {0};
    assert_true(secret_copy(&a, "key material", 12));
    const void *bytes = a.p;
    secret_take(&b, &a);
    assert_ptr_equal(b.p, bytes);
    assert_null(a.p);
    assert_int_equal(a.n, 0);
    assert_true(span_is(secret_span(&b), "key material"));
    secret_done(&a);
    secret_done(&b);
    assert_null(b.p);
    secret_done(&b);
}

static void test_starts_zeroed(void **state)
{
    (void)state;
    struct secret s;
    assert_true(secret_init(&s, 32));
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(s.p[i], 0);
    secret_done(&s);
    assert_true(secret_init(&s, 0));
    assert_int_equal(secret_span(&s).n, 0);
    secret_done(&s);
    assert_false(secret_init(&s, SIZE_MAX));
    assert_null(s.p);
}

static void test_eq(void **state)
{
    (void)state;
    assert_true(secret_eq(SPAN("abc"), SPAN("abc")));
    assert_false(secret_eq(SPAN("abc"), SPAN("abd")));
    assert_false(secret_eq(SPAN("abc"), SPAN("ab")));
    assert_true(secret_eq(SPAN(""), (struct span){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_empties_the_source),
        cmocka_unit_test(test_starts_zeroed),
        cmocka_unit_test(test_eq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
