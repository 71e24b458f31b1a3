// Times in their text forms against known values, agreement with the C library over the whole range, and refusals.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/time_format.h"

static int64_t rfc3339(const char *text)
{
    int64_t ns;
    if (!time_parse_rfc3339(span_of(text), &ns))
        fail_msg("refused: %s", text);
    return ns;
}

static void test_known_values(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *iso, *amz, *http, *java;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z", "19700101T000000Z", "Thu, 01 Jan 1970 00:00:00 GMT", "Jan 1, 1970, 12:00:00 AM"},
        {951782400, "2000-02-29T00:00:00Z", "20000229T000000Z", "Tue, 29 Feb 2000 00:00:00 GMT",
         "Feb 29, 2000, 12:00:00 AM"},
        {951868799, "2000-02-29T23:59:59Z", "20000229T235959Z", "Tue, 29 Feb 2000 23:59:59 GMT",
         "Feb 29, 2000, 11:59:59 PM"},
        {1747774065, "2025-05-20T20:47:45Z", "20250520T204745Z", "Tue, 20 May 2025 20:47:45 GMT",
         "May 20, 2025, 8:47:45 PM"},
        {1709208000, "2024-02-29T12:00:00Z", "20240229T120000Z", "Thu, 29 Feb 2024 12:00:00 GMT",
         "Feb 29, 2024, 12:00:00 PM"},
        {4107542400, "2100-03-01T00:00:00Z", "21000301T000000Z", "Mon, 01 Mar 2100 00:00:00 GMT",
         "Mar 1, 2100, 12:00:00 AM"},
        {-1, "1969-12-31T23:59:59Z", "19691231T235959Z", "Wed, 31 Dec 1969 23:59:59 GMT", "Dec 31, 1969, 11:59:59 PM"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        int64_t ns = rows[i].s * NS_PER_S, parsed;
        time_iso(ns, text);
        assert_string_equal(text, rows[i].iso);
        time_amz(ns, text);
        assert_string_equal(text, rows[i].amz);
        time_http(ns, text);
        assert_string_equal(text, rows[i].http);
        time_java(ns, text);
        assert_string_equal(text, rows[i].java);
        assert_int_equal(rfc3339(rows[i].iso), ns);
        assert_true(time_parse_amz(span_of(rows[i].amz), &parsed));
        assert_int_equal(parsed, ns);
    }
}

// Fractions are cut toward the past, also before 1970.
static void test_fractions_are_cut(void **state)
{
    (void)state;
    char text[TIME_ISO_SIZE];
    time_iso(NS_PER_S - 1, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    time_iso(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59Z");
}

static void check_like_libc(int64_t s)
{
    char text[TIME_ISO_SIZE], expected[32];
    time_t t = (time_t)s;
    struct tm tm;
    struct civil_time c = time_civil(s * NS_PER_S);
    assert_non_null(gmtime_r(&t, &tm));
    strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm);
    time_iso(s * NS_PER_S, text);
    assert_string_equal(text, expected);
    assert_int_equal(c.weekday, tm.tm_wday);
    assert_int_equal(rfc3339(text), s * NS_PER_S);
}

static void test_every_day_agrees_with_libc(void **state)
{
    (void)state;
    for (int64_t day = -106751; day < 106751; day++)
        check_like_libc(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
}

static void test_bounds(void **state)
{
    (void)state;
    char text[64];
    int64_t ns;
    time_iso(INT64_MAX, text);
    assert_string_equal(text, "2262-04-11T23:47:16Z");
    time_iso(INT64_MIN, text);
    assert_string_equal(text, "1677-09-21T00:12:43Z");
    time_java(INT64_MAX, text);
    assert_string_equal(text, "Apr 11, 2262, 11:47:16 PM");
    assert_int_equal(rfc3339("2262-04-11T23:47:16.854775807Z"), INT64_MAX);
    assert_int_equal(rfc3339("1677-09-21T00:12:43.145224192Z"), INT64_MIN);
    assert_false(time_parse_rfc3339(SPAN("2262-04-11T23:47:16.854775808Z"), &ns));
    assert_false(time_parse_rfc3339(SPAN("1677-09-21T00:12:43.145224191Z"), &ns));
    assert_false(time_parse_rfc3339(SPAN("9999-12-31T23:59:59Z"), &ns));
    assert_false(time_parse_rfc3339(SPAN("0000-01-01T00:00:00Z"), &ns));
    assert_false(time_parse_amz(SPAN("99991231T235959Z"), &ns));
}

static void test_rfc3339_forms(void **state)
{
    (void)state;
    int64_t t = rfc3339("2019-03-11T09:00:00Z");
    assert_int_equal(t, INT64_C(1552294800) * NS_PER_S);
    assert_int_equal(rfc3339("2019-03-11t09:00:00z"), t);
    assert_int_equal(rfc3339("2019-03-11T10:30:00+01:30"), t);
    assert_int_equal(rfc3339("2019-03-10T23:00:00-10:00"), t);
    assert_int_equal(rfc3339("2019-03-11T09:00:00-00:00"), t);
    assert_int_equal(rfc3339("2019-03-11T09:00:00.5Z"), t + NS_PER_S / 2);
    assert_int_equal(rfc3339("2019-03-11T09:00:00.000000001Z"), t + 1);
    assert_int_equal(rfc3339("2019-03-11T09:00:00.0000000019999999999999Z"), t + 1);
    assert_int_equal(rfc3339("1969-12-31T23:59:59.75Z"), -NS_PER_S / 4);
}

static void test_rfc3339_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2019",
        "2019-03-11",
        "2019-03-11T09:00:00",
        "2019-03-11 09:00:00Z",
        "2019-3-11T09:00:00Z",
        "2019-03-11T9:00:00Z",
        "2019-03-11T09:00Z",
        "2019-00-11T09:00:00Z",
        "2019-13-11T09:00:00Z",
        "2019-03-00T09:00:00Z",
        "2019-03-32T09:00:00Z",
        "2019-02-29T09:00:00Z",
        "2100-02-29T09:00:00Z",
        "2019-04-31T09:00:00Z",
        "2019-03-11T24:00:00Z",
        "2019-03-11T09:60:00Z",
        "2019-03-11T23:59:60Z",
        "2019-03-11T09:00:00.Z",
        "2019-03-11T09:00:00.5",
        "2019-03-11T09:00:00+1:00",
        "2019-03-11T09:00:00+0100",
        "2019-03-11T09:00:00+24:00",
        "2019-03-11T09:00:00+01:60",
        "2019-03-11T09:00:00Zx",
        "2019-03-11T09:00:00ZZ",
        " 2019-03-11T09:00:00Z",
        "-019-03-11T09:00:00Z",
        "2019-03-11T09:00:-1Z",
        "2019/03/11T09:00:00Z",
        "2019-03-11T09:00:00*00:00",
    };
    int64_t ns;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (time_parse_rfc3339(span_of(bad[i]), &ns))
            fail_msg("accepted: %s", bad[i]);
    assert_false(time_parse_rfc3339((struct span){"2019-03-11T09:00:00Z\0", 21}, &ns));
}

static void test_amz_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "20190311T090000",
                                      "20190311t090000Z",
                                      "20190311T090000z",
                                      "2019-03-11T09:00:00Z",
                                      "20190311T0900Z",
                                      "20190230T090000Z",
                                      "20190311T240000Z",
                                      "20190311T090000ZZ",
                                      "20190311T09000xZ"};
    int64_t ns;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (time_parse_amz(span_of(bad[i]), &ns))
            fail_msg("accepted: %s", bad[i]);
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"300", 300 * NS_PER_S},
                {"300s", 300 * NS_PER_S},
                {"5m", 300 * NS_PER_S},
                {"2h", 7200 * NS_PER_S},
                {"250ms", 250 * NS_PER_MS},
                {"1d", 86400 * NS_PER_S},
                {"007s", 7 * NS_PER_S},
                {"9223372036s", INT64_C(9223372036) * NS_PER_S}};
    static const char *const bad[] = {"",
                                      "s",
                                      "-1",
                                      "+1",
                                      "1.5s",
                                      "1 s",
                                      " 1",
                                      "1w",
                                      "1S",
                                      "1mss",
                                      "0x10",
                                      "9223372037",
                                      "9223372036854775808",
                                      "99999999999999999999ms",
                                      "106752d",
                                      "1e3"};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(time_parse_duration(span_of(good[i].text), &ns));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (time_parse_duration(span_of(bad[i]), &ns))
            fail_msg("accepted: %s", bad[i]);
}

static void test_seconds(void **state)
{
    (void)state;
    assert_int_equal(time_of_seconds(0), 0);
    assert_int_equal(time_of_seconds(1747806465), INT64_C(1747806465000000000));
    assert_int_equal(time_of_seconds(1747806465.123), INT64_C(1747806465123000000));
    assert_int_equal(time_of_seconds(-1.5), INT64_C(-1500000000));
    assert_int_equal(time_of_seconds(1e300), INT64_MAX);
    assert_int_equal(time_of_seconds(-1e300), INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_fractions_are_cut),
        cmocka_unit_test(test_every_day_agrees_with_libc),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_rfc3339_forms),
        cmocka_unit_test(test_rfc3339_malformed),
        cmocka_unit_test(test_amz_malformed),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
