// Heads of requests and responses: what is accepted, and everything that must be refused because two parties could read
// it as two different messages.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http/request.h"

#define H "Host: a\r\n"
#define BAD(status, bytes)                                                                                             \
    {                                                                                                                  \
        "" bytes, sizeof(bytes) - 1, status                                                                            \
    }

// Parsed from an exact allocation, so that the sanitizer sees a byte read too far.
static enum http_parse parse(struct span bytes, struct http_request *out, size_t *consumed, int *status, char **kept)
{
    *kept = malloc(bytes.n ? bytes.n : 1);
    memcpy(*kept, bytes.p, bytes.n);
    return http_parse_head((struct span){*kept, bytes.n}, out, consumed, status);
}

static const struct {
    const char *p;
    size_t n;
    int status;
} refused[] = {
    // request line
    BAD(400, "GET\r\n" H "\r\n"),
    BAD(400, "GET /\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.1 \r\n" H "\r\n"),
    BAD(400, "GET  / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET / x HTTP/1.1\r\n" H "\r\n"),
    BAD(400, " GET / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "G\x01T / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "G(T / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /\t HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /\x00 HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET x HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET * HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET http:// HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET http:///x HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "GET / http/1.1\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.10\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/11\r\n" H "\r\n"),
    BAD(400, "GET / HTTP/x.1\r\n" H "\r\n"),
    BAD(505, "GET / HTTP/2.0\r\n" H "\r\n"),
    BAD(505, "PRI * HTTP/2.0\r\n\r\n"),
    BAD(505, "GET / HTTP/0.9\r\n\r\n"),
    BAD(501, "CONNECT a:1 HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "METHODLONGERTHANTHIRTYTWOCHARACTERS / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD(400, "\x16\x03\x01\x02"), // TLS: refused before a line is complete
    // line ends
    BAD(400, "GET / HTTP/1.1\n" H "\r\n"),
    BAD(400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A: b\r\r\n\r\n"),
    BAD(400, "GET /\r HTTP/1.1\r\n" H "\r\n"),
    // headers
    BAD(400, "GET / HTTP/1.1\r\n" H "A : b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A\t: b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A b: c\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H ": c\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "no colon\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A: b\r\n folded\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A: b\r\n\tfolded: x\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n " H "\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A: b\x00c\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A\x00: b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A: b\x7f\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "A: b\x1b[0m\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "\xc3\xa4: b\r\n\r\n"),
    // Host
    BAD(400, "GET / HTTP/1.1\r\n\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H H "\r\n"),
    BAD(400, "GET / HTTP/1.1\r\n" H "hOST: b\r\n\r\n"),
    BAD(400, "GET / HTTP/1.0\r\n" H H "\r\n"),
    // where the body ends
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551621\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
    BAD(400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD(400, "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n"),
    BAD(501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"),
    BAD(417, "POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n"),
};

static void test_refused(void **state)
{
    (void)state;
    static struct http_request r;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        size_t consumed;
        int status;
        char *kept;
        enum http_parse p = parse((struct span){refused[i].p, refused[i].n}, &r, &consumed, &status, &kept);
        if (p != HTTP_PARSE_BAD || status != refused[i].status)
            print_error("case %zu: %s\n", i, refused[i].p);
        assert_int_equal(p, HTTP_PARSE_BAD);
        assert_int_equal(status, refused[i].status);
        free(kept);
    }
}

static void test_accepted(void **state)
{
    (void)state;
    static const char head[] =
        "\r\nPOST /a%20b?x=/..//&y HTTP/1.1\r\nHost:a:1\r\nX-Amz-Target: \t TrentService.Encrypt \t\r\n"
        "X-Empty:\r\nx-amz-target: second\r\nA!#$%&'*+-.^_`|~9: \xc3\xa4 ( )\r\n"
        "cOnTeNt-LeNgTh: 007\r\n\r\n";
    static struct http_request r;
    size_t consumed = 0;
    int status;
    char *kept;
    assert_int_equal(parse((struct span){head, sizeof head - 1}, &r, &consumed, &status, &kept), HTTP_PARSE_OK);
    assert_int_equal(consumed, sizeof head - 1);
    assert_true(span_is(r.method, "POST"));
    assert_true(span_is(r.target, "/a%20b?x=/..//&y"));
    assert_true(span_is(r.version, "HTTP/1.1"));
    assert_int_equal(r.headers.n, 6);
    assert_true(span_is(r.headers.at[1].name, "X-Amz-Target"));
    assert_true(span_is(http_request_header(&r, "x-amz-target"), "TrentService.Encrypt"));
    assert_int_equal(http_request_header_count(&r, "X-AMZ-TARGET"), 2);
    const struct http_header *first = http_headers_next(&r.headers, "x-amz-target", NULL);
    assert_true(span_is(http_headers_next(&r.headers, "x-amz-target", first)->value, "second"));
    assert_non_null(http_request_header(&r, "x-empty").p);
    assert_int_equal(http_request_header(&r, "x-empty").n, 0);
    assert_null(http_request_header(&r, "x-none").p);
    assert_int_equal(r.framing.content_length, 7);
    assert_true(r.framing.keep_alive);
    assert_false(r.framing.chunked);
    free(kept);
}

// Every beginning of a good head is incomplete, never bad; and what follows the head is not looked at.
static void test_every_prefix(void **state)
{
    (void)state;
    static const char text[] =
        "\r\nPUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n\n\0rest";
    static struct http_request r;
    size_t total = sizeof text - 7, seen = 0;
    for (size_t n = 0; n < sizeof text; n++) {
        size_t consumed = 0;
        int status;
        char *kept;
        enum http_parse want = n < total ? HTTP_PARSE_MORE : HTTP_PARSE_OK;
        assert_int_equal(parse((struct span){text, n}, &r, &consumed, &status, &kept), want);
        if (n <= total)
            assert_int_equal(http_head_complete((struct span){text, n}, &seen), want);
        if (n >= total) {
            assert_int_equal(consumed, total);
            assert_true(r.framing.chunked && r.framing.expect_continue);
        }
        free(kept);
    }
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *head, *target;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", "/", true},
        {"GET / HTTP/1.2\r\n" H "\r\n", "/", true},
        {"GET / HTTP/1.0\r\n\r\n", "/", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/", true},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "/", false},
        {"GET / HTTP/1.1\r\n" H "Connection: x, CLOSE ,y\r\n\r\n", "/", false},
        {"GET / HTTP/1.1\r\n" H "Connection: x\r\nConnection: close\r\n\r\n", "/", false},
        {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", "/", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "/", false},
        {"GET http://a:1/x?y HTTP/1.1\r\n" H "\r\n", "/x?y", true},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "*", true},
    };
    static struct http_request r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t consumed;
        int status;
        assert_int_equal(http_parse_head(span_of(cases[i].head), &r, &consumed, &status), HTTP_PARSE_OK);
        assert_true(span_is(r.target, cases[i].target));
        assert_int_equal(r.framing.keep_alive, cases[i].keep_alive);
    }
}

static void test_header_limit(void **state)
{
    (void)state;
    static struct http_request r;
    for (int extra = 0; extra < 2; extra++) {
        struct buf b;
        size_t consumed;
        int status;
        buf_init(&b, 10000);
        buf_append_str(&b, "GET / HTTP/1.1\r\n" H);
        for (int i = 1; i < HTTP_HEADERS_MAX + extra; i++)
            buf_appendf(&b, "h%d: %d\r\n", i, i);
        buf_append_str(&b, "\r\n");
        assert_int_equal(http_parse_head(buf_span(&b), &r, &consumed, &status), extra ? HTTP_PARSE_BAD : HTTP_PARSE_OK);
        assert_int_equal(status, extra ? 431 : 0);
        buf_done(&b);
    }
}

// Looking for the end of a head refuses bare line feeds as soon as they come, and heads without an end.
static void test_head_complete(void **state)
{
    (void)state;
    static char long_head[HTTP_HEAD_MAX + 1];
    size_t seen = 0;
    assert_int_equal(http_head_complete(SPAN("GET / HTTP/1.1\n"), &seen), HTTP_PARSE_BAD);
    seen = 0;
    assert_int_equal(http_head_complete(SPAN("\n"), &seen), HTTP_PARSE_BAD);
    memset(long_head, 'a', sizeof long_head);
    seen = 0;
    assert_int_equal(http_head_complete((struct span){long_head, HTTP_HEAD_MAX}, &seen), HTTP_PARSE_MORE);
    assert_int_equal(http_head_complete((struct span){long_head, HTTP_HEAD_MAX + 1}, &seen), HTTP_PARSE_BAD);
}

static void test_responses(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        enum http_parse result;
        int status;
        const char *reason;
        int64_t length;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", HTTP_PARSE_OK, 200, "OK", 3},
        {"HTTP/1.1 404 Not Found\r\n\r\n", HTTP_PARSE_OK, 404, "Not Found", -1},
        {"HTTP/1.0 599 \r\n\r\n", HTTP_PARSE_OK, 599, "", -1},
        {"HTTP/1.1 200\r\n\r\n", HTTP_PARSE_OK, 200, "", -1},
        {"HTTP/1.1 200 OK\r\n", HTTP_PARSE_MORE, 0, NULL, 0},
        {"HTTP/1.1 2", HTTP_PARSE_MORE, 0, NULL, 0},
        {"HTTP/1.1 20 OK\r\n\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"HTTP/1.1 2000 OK\r\n\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"HTTP/1.1 099 OK\r\n\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"HTTP/2.0 200 OK\r\n\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"HTTP/1.1 200 O\rK\r\n\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"HTTP/1.1 200 OK\n\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"SSH-2.0-OpenSSH_9.2\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
        {"\r\n", HTTP_PARSE_BAD, 0, NULL, 0},
    };
    static struct http_response r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t consumed;
        assert_int_equal(http_parse_response_head(span_of(cases[i].head), &r, &consumed), cases[i].result);
        if (cases[i].result != HTTP_PARSE_OK)
            continue;
        assert_int_equal(r.status, cases[i].status);
        assert_true(span_is(r.reason, cases[i].reason));
        assert_int_equal(r.framing.content_length, cases[i].length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_accepted),     cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_forms),     cmocka_unit_test(test_header_limit), cmocka_unit_test(test_head_complete),
        cmocka_unit_test(test_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
