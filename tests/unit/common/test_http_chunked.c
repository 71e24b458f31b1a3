// The chunked coding gives the same content and the same verdict however the bytes are cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/http/chunked.h"

#define MAX 100
#define IN(bytes) "" bytes, sizeof(bytes) - 1

static const struct {
    const char *p;
    size_t n;
    enum http_parse result;
    const char *content;
    size_t rest; // bytes behind the body
    bool too_large;
} cases[] = {
    {IN("0\r\n\r\n"), HTTP_PARSE_OK, "", 0, false},
    {IN("3\r\nabc\r\n0\r\n\r\n"), HTTP_PARSE_OK, "abc", 0, false},
    {IN("3\r\nabc\r\n2\r\nde\r\n000\r\n\r\nGET "), HTTP_PARSE_OK, "abcde", 4, false},
    {IN("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), HTTP_PARSE_OK, "01234567890123456789", 0, false},
    {IN("3;name=\"v;\";x\r\nabc\r\n0;y\r\n\r\n"), HTTP_PARSE_OK, "abc", 0, false},
    {IN("3\r\n\r\n0\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\nz"), HTTP_PARSE_OK, "\r\n0", 1, false},
    {IN("3\r\nabc\r\n0\r\n"), HTTP_PARSE_MORE, "abc", 0, false},
    {IN("3\r\nab"), HTTP_PARSE_MORE, "ab", 0, false},
    {IN("64\r\n"), HTTP_PARSE_MORE, "", 0, false},
    {IN("65\r\n"), HTTP_PARSE_BAD, "", 0, true},
    {IN("ffffffffffffffffffff\r\n"), HTTP_PARSE_BAD, "", 0, true},
    {IN("3\r\nabc\r\n62\r\n"), HTTP_PARSE_BAD, "abc", 0, true},
    {IN("\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN(";x\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("-1\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("+1\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("0x1\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN(" 1\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("1 \r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("1\na\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("1\rX"), HTTP_PARSE_BAD, "", 0, false},
    {IN("1;a\nb\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("1;a\x00\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("1\r\nab\r\n"), HTTP_PARSE_BAD, "a", 0, false},
    {IN("1\r\na\n0\r\n\r\n"), HTTP_PARSE_BAD, "a", 0, false},
    {IN("1\r\na\r0\r\n\r\n"), HTTP_PARSE_BAD, "a", 0, false},
    {IN("0\r\n\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("0\r\n folded\r\n\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("0\r\nx: a\rb\r\n\r\n"), HTTP_PARSE_BAD, "", 0, false},
    {IN("0\r\nx: a\n\r\n"), HTTP_PARSE_BAD, "", 0, false},
};

// Feeds a case in pieces of the given size; each piece is its own allocation.
static void run(size_t i, size_t piece)
{
    struct http_chunked d;
    char content[2 * MAX];
    size_t at = 0, n_content = 0;
    enum http_parse r = HTTP_PARSE_MORE;
    http_chunked_init(&d, MAX);
    while (at < cases[i].n && r == HTTP_PARSE_MORE) {
        size_t n = cases[i].n - at < piece ? cases[i].n - at : piece, consumed, produced;
        char *bytes = malloc(n);
        memcpy(bytes, cases[i].p + at, n);
        r = http_chunked_decode(&d, bytes, n, &consumed, &produced);
        memcpy(content + n_content, bytes, produced);
        n_content += produced;
        at += consumed;
        free(bytes);
    }
    if (r != cases[i].result)
        print_error("case %zu, pieces of %zu\n", i, piece);
    assert_int_equal(r, cases[i].result);
    assert_int_equal(d.too_large, cases[i].too_large);
    assert_int_equal(n_content, strlen(cases[i].content));
    assert_memory_equal(content, cases[i].content, n_content);
    if (r == HTTP_PARSE_OK)
        assert_int_equal(cases[i].n - at, cases[i].rest);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t piece = 1; piece <= cases[i].n; piece++)
            run(i, piece);
    }
}

// A peer cannot send overhead without end.
static void test_lines_are_bounded(void **state)
{
    (void)state;
    static const char *const begins[] = {"0", "1;", "0\r\nx: "};
    for (size_t i = 0; i < 3; i++) {
        struct http_chunked d;
        char text[64];
        size_t consumed, produced, fed = 0;
        http_chunked_init(&d, MAX);
        memcpy(text, begins[i], strlen(begins[i]) + 1);
        enum http_parse r = http_chunked_decode(&d, text, strlen(text), &consumed, &produced);
        for (; r == HTTP_PARSE_MORE && fed < 100000; fed++) {
            char c = '0';
            r = http_chunked_decode(&d, &c, 1, &consumed, &produced);
        }
        assert_int_equal(r, HTTP_PARSE_BAD);
        assert_true(fed < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_lines_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
