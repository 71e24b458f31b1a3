// Buffers keep their ceiling, report failure once and for all, and print numbers as printf would.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"

static void test_ceiling_is_sticky(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    assert_true(buf_append_str(&b, "abcd"));
    assert_string_equal(buf_str(&b), "abcd");
    assert_false(buf_append_char(&b, 'e'));
    assert_false(buf_ok(&b));
    assert_false(buf_append(&b, "", 0));
    assert_null(buf_str(&b));
    buf_reset(&b, 1024);
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

static void test_numbers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_append_i64(&b, INT64_MIN);
    buf_append_char(&b, ' ');
    buf_append_u64(&b, UINT64_MAX);
    buf_appendf(&b, " %d/%s", 7, "x");
    assert_string_equal(buf_str(&b), "-9223372036854775808 18446744073709551615 7/x");
    buf_done(&b);
}

static void test_spans(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN("ab"), span_of("ab")));
    assert_true(span_starts(SPAN("alias/x"), "alias/"));
    assert_false(span_starts(SPAN("al"), "alias/"));
    assert_true(span_ends(SPAN("a.json"), ".json"));
    assert_true(span_ieq(SPAN("HoSt"), SPAN("host")));
    assert_true(span_cmp(SPAN("a"), SPAN("ab")) < 0);
    assert_true(span_cmp(SPAN("\xff"), SPAN("a")) > 0);
    assert_int_equal(span_of(NULL).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceiling_is_sticky),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
