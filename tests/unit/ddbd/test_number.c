// Numbers come back as DynamoDB prints them, sort as numbers do, and are refused with AWS's sentences.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ddbd/number.h"

static struct number parsed(const char *text)
{
    struct number v;
    assert_int_equal(number_parse(span_of(text), &v), NUMBER_OK);
    return v;
}

static void expect_text(const char *in, const char *out)
{
    char text[NUMBER_TEXT_MAX];
    struct number v = parsed(in);
    assert_int_equal(number_format(&v, text), strlen(out));
    assert_string_equal(text, out);
}

static void test_canonical_text(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"0e1000", "0"},
        {"000.000", "0"},
        {"+3", "3"},
        {"0042.1200", "42.12"},
        {"1.0", "1"},
        {"1.", "1"},
        {".123", "0.123"},
        {"1.5E2", "150"},
        {"1e+5", "100000"},
        {"-17.4E3", "-17400"},
        {"1e-3", "0.001"},
        {"100.50", "100.5"},
        {"-0.00010", "-0.0001"},
        {"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
        {"1234567890123456789012345678901234567800000", "1234567890123456789012345678901234567800000"},
        {"0.000e-9999", "0"},
        {"12.34e-1", "1.234"},
        {"10e-1", "1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_text(rows[i][0], rows[i][1]);
}

static void test_extremes(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_MAX];
    struct number v = parsed("1E125");
    assert_int_equal(number_format(&v, text), 126);
    v = parsed("-9.9999999999999999999999999999999999999E+125");
    assert_int_equal(number_format(&v, text), 127);
    v = parsed("-1.2345678901234567890123456789012345678E-130");
    assert_int_equal(number_format(&v, text), NUMBER_TEXT_MAX - 1);
    assert_memory_equal(text, "-0.000", 6);
    v = parsed("1E-130");
    assert_int_equal(number_format(&v, text), 132);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        enum number_error e;
    } rows[] = {
        {"", NUMBER_NOT_NUMERIC},
        {"-", NUMBER_NOT_NUMERIC},
        {".", NUMBER_NOT_NUMERIC},
        {"e5", NUMBER_NOT_NUMERIC},
        {"1e", NUMBER_NOT_NUMERIC},
        {"1e+", NUMBER_NOT_NUMERIC},
        {" 1", NUMBER_NOT_NUMERIC},
        {"1 ", NUMBER_NOT_NUMERIC},
        {"NaN", NUMBER_NOT_NUMERIC},
        {"Infinity", NUMBER_NOT_NUMERIC},
        {"--1", NUMBER_NOT_NUMERIC},
        {"1.2.3", NUMBER_NOT_NUMERIC},
        {"0x10", NUMBER_NOT_NUMERIC},
        {"1e2147483648", NUMBER_NOT_NUMERIC},
        {"1e126", NUMBER_OVERFLOW},
        {"-1e126", NUMBER_OVERFLOW},
        {"1.0e100000000", NUMBER_OVERFLOW},
        {"11e125", NUMBER_OVERFLOW},
        {"1e-131", NUMBER_UNDERFLOW},
        {"0.9e-130", NUMBER_UNDERFLOW},
        {"-1e-131", NUMBER_UNDERFLOW},
        {"123456789012345678901234567890123456789", NUMBER_TOO_PRECISE},
        {"-1.23456789012345678901234567890123456789", NUMBER_TOO_PRECISE},
        {"1e125000000000000000000000000000000000001", NUMBER_NOT_NUMERIC},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct number v;
        assert_int_equal(number_parse(span_of(rows[i].in), &v), rows[i].e);
    }
    assert_string_equal(number_error_text(NUMBER_NOT_NUMERIC), "The parameter cannot be converted to a numeric value");
    assert_string_equal(number_error_text(NUMBER_TOO_PRECISE),
                        "Attempting to store more than 38 significant digits in a Number");
    assert_null(number_error_text(NUMBER_OK));
}

// Literals and sizes as measured on the real service.
static void test_size(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t size;
    } rows[] = {
        {"0", 1},         {"1", 2},     {"12", 2},
        {"123", 3},       {"1234", 3},  {"12345678901234567890123456789012345678", 20},
        {"0042", 2},      {"100", 2},   {"1010", 3},
        {"0.0000001", 2}, {"1E125", 2}, {"1E-100", 2},
        {"1.5", 3},       {"15", 2},    {"1.2", 3},
        {"1.200", 3},     {"1.234", 4}, {"3.14159", 5},
        {"123456", 4},    {"100.5", 4}, {"0.15", 2},
        {"-42", 3},       {"-0", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct number v = parsed(rows[i].in);
        assert_int_equal(number_size(&v), rows[i].size);
    }
}

static void test_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        "-9.9999999999999999999999999999999999999E+125",
        "-1e125",
        "-1000",
        "-999.9",
        "-100",
        "-99.1",
        "-99",
        "-10.01",
        "-10",
        "-9",
        "-1.23",
        "-1.2",
        "-1",
        "-0.5",
        "-0.05",
        "-1e-130",
        "0",
        "1e-130",
        "0.05",
        "0.5",
        "1",
        "1.01",
        "1.1",
        "1.2",
        "1.23",
        "1.234",
        "9",
        "10",
        "10.01",
        "99",
        "99.1",
        "100",
        "999.9",
        "1000",
        "1e125",
        "9.9999999999999999999999999999999999999E+125",
    };
    size_t n = sizeof sorted / sizeof *sorted;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            struct number a = parsed(sorted[i]), b = parsed(sorted[k]);
            int got = number_compare(&a, &b);
            assert_int_equal((got > 0) - (got < 0), (i > k) - (i < k));
        }
    }
}

// Against the machine's long double, for values it holds exactly: digits * 10^e with few digits.
static void test_random_order_and_round_trip(void **state)
{
    (void)state;
    srandom(7);
    struct number last = {0};
    long double last_value = 0;
    for (int round = 0; round < 200000; round++) {
        long digits = random() % 2000000 - 1000000;
        int exp = (int)(random() % 13);
        char text[64], again[NUMBER_TEXT_MAX];
        snprintf(text, sizeof text, "%lde%d", digits, exp);
        struct number v = parsed(text);
        long double value = strtold(text, NULL);
        int got = number_compare(&v, &last);
        assert_int_equal((got > 0) - (got < 0), (value > last_value) - (value < last_value));
        size_t n = number_format(&v, again);
        assert_true(strtold(again, NULL) == value);
        struct number back = parsed(again);
        assert_int_equal(n, strlen(again));
        assert_int_equal(number_compare(&v, &back), 0);
        unsigned char enc[NUMBER_ENC_MAX];
        size_t used, len = number_encode(&v, enc);
        assert_true(number_decode((struct span){(char *)enc, len}, &back, &used));
        assert_int_equal(used, len);
        assert_memory_equal(&back, &v, sizeof v);
        last = v;
        last_value = value;
    }
}

static void test_decode_refuses_what_encode_never_writes(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\x40", "\x30\x80", "\x30\x80\x02", "\x30\x80\x66\x01", "\x10\x80\x01\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct number v;
        size_t used;
        assert_false(number_decode(span_of(bad[i]), &v, &used));
    }
    struct number v;
    size_t used;
    // Pairs "00" at either end, and twenty pairs.
    assert_false(number_decode((struct span){"\x30\x80\x01\x00", 4}, &v, &used));
    assert_false(number_decode((struct span){"\x30\x80\x0c\x01\x00", 5}, &v, &used));
    char many[24] = "\x30\x80";
    memset(many + 2, 0x0c, 20);
    assert_false(number_decode((struct span){many, 23}, &v, &used));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_text),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_random_order_and_round_trip),
        cmocka_unit_test(test_decode_refuses_what_encode_never_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
