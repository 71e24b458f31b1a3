// The server over real loopback sockets: order, staging, limits, bad and vanishing clients.
#include "tests/unit/common/http_harness.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define H "Host: a\r\n"

static void test_keep_alive(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    for (size_t i = 1; i <= 3; i++) {
        peer_send(&p, SPAN("POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"));
        RIG_UNTIL(&rig, peer_count(&p, "POST /echo abc") == i);
    }
    assert_int_equal(peer_count(&p, "HTTP/1.1 200 OK\r\n"), 3);
    assert_int_equal(peer_count(&p, "Content-Length: 14\r\n"), 3);
    assert_int_equal(peer_count(&p, "Date: "), 3);
    assert_int_equal(peer_count(&p, "X-Peer: 127.0.0.1\r\n"), 3);
    assert_int_equal(peer_count(&p, "X-Loopback: yes\r\n"), 3);
    assert_false(peer_has(&p, "Connection:"));
    assert_int_equal(http_server_connections(rig.server), 1);
    peer_close(&p);
    RIG_UNTIL(&rig, http_server_connections(rig.server) == 0);
    rig_end(&rig);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct rig rig;
    char error[HTTP_ERROR_MAX], address[HTTP_ADDRESS_MAX];
    rig_begin(&rig, NULL);
    if (http_server_listen(rig.server, "[::1]:0", false, error)) { // a machine may have none
        assert_true(http_server_address(rig.server, 1, address));
        struct peer_socket p = peer_connect(address);
        peer_send(&p, SPAN("GET /echo HTTP/1.1\r\n" H "\r\n"));
        RIG_UNTIL(&rig, peer_has(&p, "X-Peer: ::1\r\n"));
        assert_true(peer_has(&p, "X-Loopback: yes\r\n"));
        peer_close(&p);
    }
    rig_end(&rig);
}

// The next request is not handled before the former's reply has left, though its bytes are there.
static void test_pipelining(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /hold/1 HTTP/1.1\r\n" H "\r\n"
                       "POST /echo/2 HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n2"
                       "POST /hold/3 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\n3\r\n0\r\n\r\n"
                       "GET /echo/4 HTTP/1.1\r\n" H "\r\nGET /ec"));
    RIG_UNTIL(&rig, rig.n_held == 1);
    rig_turn(&rig);
    assert_int_equal(rig.n_handled, 1);
    rig_reply(rig.held[0], 200, "first");
    RIG_UNTIL(&rig, rig.n_held == 2);
    assert_int_equal(rig.n_handled, 3);
    assert_true(peer_has(&p, "first"));
    assert_true(peer_has(&p, "POST /echo/2 2"));
    assert_true(span_is(http_exchange_request(rig.held[1])->body, "3"));
    rig_reply(rig.held[1], 200, "third");
    RIG_UNTIL(&rig, peer_has(&p, "GET /echo/4 "));
    peer_send(&p, SPAN("ho/5 HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, peer_has(&p, "GET /echo/5 "));
    const char *text = buf_str(&p.got);
    assert_true(strstr(text, "first") < strstr(text, "/echo/2"));
    assert_true(strstr(text, "/echo/2") < strstr(text, "third"));
    assert_true(strstr(text, "third") < strstr(text, "/echo/4"));
    peer_close(&p);
    rig_end(&rig);
}

// More pipelined requests than any buffer holds, all sent before the first reply is read.
static void test_deep_pipeline(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    struct span request = SPAN("POST /echo HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n0123456789");
    for (int i = 0; i < 500; i++)
        peer_send(&p, request);
    RIG_UNTIL(&rig, peer_count(&p, "POST /echo 0123456789") == 500);
    peer_close(&p);
    rig_end(&rig);
}

static void test_byte_at_a_time(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    struct span text = SPAN("\r\nPOST /echo/a HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"
                            "POST /echo/b HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
                            "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n");
    for (size_t i = 0; i < text.n; i++) {
        peer_send(&p, (struct span){text.p + i, 1});
        rig_turn(&rig);
    }
    RIG_UNTIL(&rig, peer_has(&p, "POST /echo/b abcde"));
    assert_true(peer_has(&p, "POST /echo/a hello"));
    peer_close(&p);
    rig_end(&rig);
}

static void test_large_bodies(void **state)
{
    (void)state;
    struct rig rig;
    struct buf b;
    rig_begin(&rig, NULL);
    buf_init(&b, 4 << 20);
    buf_append_str(&b, "POST /echo HTTP/1.1\r\n" H "Content-Length: 1048576\r\n\r\n");
    memset(buf_reserve(&b, 1 << 20), 'y', 1 << 20);
    buf_commit(&b, 1 << 20);
    buf_append_str(&b, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1024; i++)
        buf_appendf(&b, "400\r\n%01024d\r\n", 0);
    buf_append_str(&b, "0\r\n\r\nGET /echo/last HTTP/1.1\r\n" H "\r\n");
    struct peer_socket p = peer_connect(rig.address);
    size_t at = 0;
    int turns = 0;
    while (at < b.len) {
        ssize_t n = send(p.fd, b.data + at, b.len - at, MSG_NOSIGNAL);
        at += n > 0 ? (size_t)n : 0;
        rig_turn(&rig);
        peer_at_end(&p);
        assert_true(++turns < 100000);
    }
    RIG_UNTIL(&rig, peer_has(&p, "GET /echo/last "));
    assert_int_equal(peer_count(&p, "HTTP/1.1 200 OK\r\n"), 3);
    assert_int_equal(peer_count(&p, "Content-Length: 1048587\r\n"), 2);
    assert_true(p.got.len > 2 << 20);
    buf_done(&b);
    peer_close(&p);
    rig_end(&rig);
}

static void test_half_close(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(
        &p, SPAN("GET /echo/1 HTTP/1.1\r\n" H "\r\nGET /hold HTTP/1.1\r\n" H "\r\nGET /echo/3 HTTP/1.1\r\n" H "\r\n"));
    shutdown(p.fd, SHUT_WR);
    RIG_UNTIL(&rig, rig.n_held == 1 && http_exchange_client_closed(rig.held[0]));
    rig_reply(rig.held[0], 200, "late");
    RIG_UNTIL(&rig, peer_at_end(&p));
    assert_true(peer_has(&p, "GET /echo/1 ") && peer_has(&p, "late") && peer_has(&p, "GET /echo/3 "));
    assert_int_equal(http_server_connections(rig.server), 0);
    peer_close(&p);
    rig_end(&rig);
}

// What each of these clients gets, after which the connection ends.
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        struct span request;
        const char *status;
    } cases[] = {
        {SPAN("\x16\x03\x01\x00\xa5\x01"), "HTTP/1.1 400 "},
        {SPAN("hello\r\n"), "HTTP/1.1 400 "},
        {SPAN("GET /echo HTTP/1.1\n\n"), "HTTP/1.1 400 "},
        {SPAN("GET /echo HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 "},
        {SPAN("GET /echo HTTP/3.0\r\n" H "\r\n"), "HTTP/1.1 505 "},
        {SPAN("POST /echo HTTP/1.1\r\n" H "Content-Length: 1048577\r\n\r\nx"), "HTTP/1.1 413 "},
        {SPAN("POST /echo HTTP/1.1\r\n" H "Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n"), "HTTP/1.1 413 "},
        {SPAN("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n100001\r\n"), "HTTP/1.1 413 "},
        {SPAN("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "HTTP/1.1 400 "},
        {SPAN("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
         "HTTP/1.1 400 "},
    };
    struct rig rig;
    rig_begin(&rig, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer_socket p = peer_connect(rig.address);
        peer_send(&p, cases[i].request);
        RIG_UNTIL(&rig, peer_at_end(&p));
        assert_true(span_starts(buf_span(&p.got), cases[i].status));
        assert_true(peer_has(&p, "Connection: close\r\n"));
        assert_false(p.reset);
        peer_close(&p);
    }
    assert_int_equal(rig.n_handled, 0);
    rig_end(&rig);
}

static void test_head_too_long(void **state)
{
    (void)state;
    struct rig rig;
    struct buf b;
    rig_begin(&rig, NULL);
    buf_init(&b, 100000);
    buf_append_str(&b, "GET /echo HTTP/1.1\r\n" H);
    for (int i = 0; i < 70; i++)
        buf_appendf(&b, "h: %01000d\r\n", i);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, buf_span(&b));
    RIG_UNTIL(&rig, peer_at_end(&p));
    assert_true(span_starts(buf_span(&p.got), "HTTP/1.1 431 "));
    assert_false(p.reset); // what it still sent was taken, so the reply was not lost
    peer_close(&p);
    buf_done(&b);
    rig_end(&rig);
}

static void test_continue(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
    RIG_UNTIL(&rig, peer_has(&p, "HTTP/1.1 100 Continue\r\n\r\n"));
    peer_send(&p, SPAN("a"));
    rig_turn(&rig);
    peer_send(&p, SPAN("bc"));
    RIG_UNTIL(&rig, peer_has(&p, "POST /echo abc"));
    // A body that is there already needs no invitation.
    peer_send(&p, SPAN("POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\ndef"));
    RIG_UNTIL(&rig, peer_has(&p, "POST /echo def"));
    assert_int_equal(peer_count(&p, "100 Continue"), 1);
    peer_close(&p);
    rig_end(&rig);
}

static void test_methods_and_versions(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p,
              SPAN("HEAD /echo HTTP/1.1\r\n" H "\r\nGET /none HTTP/1.1\r\n" H "\r\nGET /echo HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, peer_has(&p, "GET /echo "));
    assert_true(peer_has(&p, "Content-Length: 11\r\n")); // the HEAD's
    assert_false(peer_has(&p, "HEAD /echo "));
    assert_true(peer_has(&p, "HTTP/1.1 204 No Content\r\n"));
    assert_false(peer_has(&p, "not sent"));
    assert_int_equal(peer_count(&p, "Content-Length:"), 2);
    peer_close(&p);
    p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /echo/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /echo/2 HTTP/1.0\r\n\r\n"));
    RIG_UNTIL(&rig, peer_at_end(&p));
    assert_int_equal(peer_count(&p, "Connection: keep-alive\r\n"), 1);
    assert_int_equal(peer_count(&p, "Connection: close\r\n"), 1);
    peer_close(&p);
    rig_end(&rig);
}

static void test_staging(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig.no_flush = true;
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /hold HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, rig.n_held == 1);
    struct http_exchange *x = rig.held[0];
    assert_int_equal(http_server_staged(rig.server), 0);
    http_reply_begin(x, 200);
    http_reply_header(x, "X-Secret", SPAN("one"));
    http_reply_body(x, SPAN("not kept"));
    assert_true(http_exchange_staged(x));
    assert_int_equal(http_server_staged(rig.server), 1);
    for (int i = 0; i < 5; i++)
        rig_turn(&rig);
    assert_false(peer_has(&p, "H"));
    http_reply_discard(x);
    assert_int_equal(http_server_staged(rig.server), 0);
    http_server_flush(rig.server);
    assert_false(peer_has(&p, "H"));
    http_reply_begin(x, 500);
    http_reply_header(x, "X-Split", SPAN("a\r\nEvil: b"));
    http_reply_body(x, SPAN("failed"));
    http_server_flush(rig.server);
    RIG_UNTIL(&rig, peer_has(&p, "failed"));
    assert_true(span_starts(buf_span(&p.got), "HTTP/1.1 500 Internal Server Error\r\n"));
    assert_false(peer_has(&p, "one") || peer_has(&p, "not kept") || peer_has(&p, "Evil"));
    peer_close(&p);
    rig_end(&rig);
}

static void test_client_gone_while_held(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("POST /hold?x HTTP/1.1\r\n" H "X-Mark: m\r\nContent-Length: 4\r\n\r\nbody"));
    RIG_UNTIL(&rig, rig.n_held == 1);
    struct linger reset = {.l_onoff = 1};
    setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    peer_close(&p);
    RIG_UNTIL(&rig, http_server_connections(rig.server) == 0);
    assert_int_equal(rig.n_closed, 1);
    const struct http_request *r = http_exchange_request(rig.held[0]);
    assert_true(span_is(r->target, "/hold?x"));
    assert_true(span_is(r->body, "body"));
    assert_true(span_is(r->peer, "127.0.0.1"));
    assert_true(span_is(http_request_header(r, "x-mark"), "m"));
    rig_reply(rig.held[0], 200, "nobody");
    assert_int_equal(http_server_staged(rig.server), 1);
    http_reply_discard(rig.held[0]);
    rig_reply(rig.held[0], 500, "still nobody");
    http_server_flush(rig.server);
    assert_int_equal(http_server_staged(rig.server), 0);
    assert_int_equal(rig.n_closed, 1);
    rig_end(&rig);
}

// The client goes away after its reply was staged and before it was written.
static void test_client_gone_before_flush(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    rig.no_flush = true;
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /hold HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, rig.n_held == 1);
    rig_reply(rig.held[0], 200, "too late");
    struct linger reset = {.l_onoff = 1};
    setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    peer_close(&p);
    RIG_UNTIL(&rig, http_server_connections(rig.server) == 0);
    assert_int_equal(rig.n_closed, 0); // it is not held any more
    assert_int_equal(http_server_staged(rig.server), 1);
    http_server_flush(rig.server);
    assert_int_equal(http_server_staged(rig.server), 0);
    rig_end(&rig);
}

static void test_large_reply_to_a_late_reader(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /big HTTP/1.1\r\n" H "\r\nGET /echo HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, rig.n_handled == 1);
    for (int i = 0; i < 5; i++)
        rig_turn(&rig);
    assert_int_equal(rig.n_handled, 1);
    RIG_UNTIL(&rig, peer_at_end(&p) || (p.got.len > 8 << 20 && peer_has(&p, "GET /echo ")));
    assert_true(p.got.len > 8 << 20);
    assert_true(peer_has(&p, "Content-Length: 8388608\r\n"));
    peer_close(&p);
    rig_end(&rig);
}

// Short limits, since only time ends these.
static void test_time_limits(void **state)
{
    (void)state;
    static const struct {
        const char *sent, *status;
    } cases[] = {
        {"", ""},
        {"GET /ec", "HTTP/1.1 408 "},
        {"GET /echo HTTP/1.1\r\n" H, "HTTP/1.1 408 "},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nabc", "HTTP/1.1 408 "},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "HTTP/1.1 408 "},
        {"GET /big HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 "}, // and never read to its end
        {"GET /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 "},
    };
    struct http_limits limits = http_limits_default();
    struct rig rig;
    limits.idle_ms = limits.head_ms = limits.body_ms = limits.write_ms = 20;
    rig_begin(&rig, &limits);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer_socket p = peer_connect(rig.address);
        peer_send(&p, span_of(cases[i].sent));
        RIG_UNTIL(&rig, http_server_connections(rig.server) == 1);
        if (strcmp(cases[i].sent, "GET /big HTTP/1.1\r\n" H "\r\n") != 0)
            RIG_UNTIL(&rig, peer_at_end(&p));
        if (cases[i].status[0])
            RIG_UNTIL(&rig, peer_has(&p, cases[i].status));
        else
            assert_int_equal(p.got.len, 0);
        peer_close(&p);
        RIG_UNTIL(&rig, http_server_connections(rig.server) == 0);
    }
    // A held request has no limit of the server's.
    struct peer_socket idle = peer_connect(rig.address), p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /hold HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, rig.n_held == 1);
    RIG_UNTIL(&rig, peer_at_end(&idle));
    rig_reply(rig.held[0], 200, "at last");
    RIG_UNTIL(&rig, peer_has(&p, "at last"));
    peer_close(&idle);
    peer_close(&p);
    rig_end(&rig);
}

// A client that stops reading is dropped without the peer's doing.
static void test_write_limit(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default();
    struct rig rig;
    limits.write_ms = 20;
    rig_begin(&rig, &limits);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /big HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, rig.n_handled == 1);
    RIG_UNTIL(&rig, http_server_connections(rig.server) == 0);
    peer_close(&p);
    rig_end(&rig);
}

static void test_connections_max(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default();
    struct rig rig;
    limits.connections_max = 2;
    rig_begin(&rig, &limits);
    struct peer_socket p[3];
    for (size_t i = 0; i < 3; i++) {
        p[i] = peer_connect(rig.address);
        peer_send(&p[i], SPAN("GET /echo HTTP/1.1\r\n" H "\r\n"));
    }
    RIG_UNTIL(&rig, peer_has(&p[0], "GET /echo ") && peer_has(&p[1], "GET /echo "));
    for (int i = 0; i < 5; i++)
        rig_turn(&rig);
    assert_int_equal(http_server_connections(rig.server), 2);
    assert_false(peer_has(&p[2], "H"));
    peer_close(&p[0]);
    RIG_UNTIL(&rig, peer_has(&p[2], "GET /echo "));
    peer_close(&p[1]);
    peer_close(&p[2]);
    rig_end(&rig);
}

// Out of descriptors, connections wait; they are served once there are some again.
static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct rig rig;
    struct rlimit before, none;
    rig_begin(&rig, NULL);
    struct peer_socket p = peer_connect(rig.address);
    peer_send(&p, SPAN("GET /echo HTTP/1.1\r\n" H "\r\n"));
    int lowest = dup(0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 5; i++)
        rig_turn(&rig);
    assert_int_equal(http_server_connections(rig.server), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    RIG_UNTIL(&rig, peer_has(&p, "GET /echo "));
    peer_close(&p);
    rig_end(&rig);
}

static void test_listening(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "",        "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+1", "[::1]", "::1:80", "[::1:80",
        "kmsd:80", "1.2.3:80",  ":80",        "[127.0.0.1]:1",   "127.0.0.1:1 ", "[]:1"};
    struct rig rig, other;
    char error[HTTP_ERROR_MAX], address[HTTP_ADDRESS_MAX];
    rig_begin(&rig, NULL);
    rig_begin(&other, NULL);
    assert_false(http_server_listen(other.server, rig.address, false, error)); // taken, though by the same user
    assert_non_null(strstr(error, rig.address));
    assert_true(http_server_listen(other.server, rig.address, true, error)); // another worker
    assert_true(http_server_address(other.server, 1, address));
    assert_string_equal(address, rig.address);
    assert_false(http_server_address(other.server, 2, address));
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        if (http_server_listen(rig.server, malformed[i], false, error))
            fail_msg("listens on '%s'", malformed[i]);
    }
    assert_true(http_server_listen(rig.server, "localhost:0", false, error));
    // Both workers get connections of the shared port.
    struct peer_socket p[64];
    for (size_t i = 0; i < 64; i++)
        p[i] = peer_connect(rig.address);
    RIG_UNTIL(&other,
              (rig_turn(&rig), http_server_connections(rig.server) + http_server_connections(other.server) == 64));
    assert_true(http_server_connections(rig.server) > 0);
    assert_true(http_server_connections(other.server) > 0);
    for (size_t i = 0; i < 64; i++)
        peer_close(&p[i]);
    rig_end(&other);
    rig_end(&rig);
}

static void test_stop(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket idle = peer_connect(rig.address), busy = peer_connect(rig.address);
    peer_send(&idle, SPAN("GET /echo HTTP/1.1\r\n" H "\r\n"));
    peer_send(&busy, SPAN("GET /hold HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, rig.n_held == 1 && peer_has(&idle, "GET /echo "));
    http_server_stop(rig.server);
    RIG_UNTIL(&rig, peer_at_end(&idle));
    assert_int_equal(http_server_connections(rig.server), 1);
    rig_reply(rig.held[0], 200, "last words");
    RIG_UNTIL(&rig, peer_at_end(&busy));
    assert_true(peer_has(&busy, "Connection: close\r\n") && peer_has(&busy, "last words"));
    peer_close(&idle);
    peer_close(&busy);
    rig_end(&rig);
}

static void test_free_with_held(void **state)
{
    (void)state;
    struct rig rig;
    rig_begin(&rig, NULL);
    struct peer_socket a = peer_connect(rig.address), b = peer_connect(rig.address);
    peer_send(&a, SPAN("GET /hold HTTP/1.1\r\n" H "\r\n"));
    peer_send(&b, SPAN("GET /hold HTTP/1.1\r\n" H "\r\n"));
    RIG_UNTIL(&rig, rig.n_held == 2);
    rig_reply(rig.held[0], 200, "staged, never flushed");
    peer_close(&b);
    RIG_UNTIL(&rig, rig.n_closed == 1);
    rig_end(&rig);
    assert_int_equal(rig.n_closed, 1);
    peer_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_deep_pipeline),
        cmocka_unit_test(test_byte_at_a_time),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_head_too_long),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_methods_and_versions),
        cmocka_unit_test(test_staging),
        cmocka_unit_test(test_client_gone_while_held),
        cmocka_unit_test(test_client_gone_before_flush),
        cmocka_unit_test(test_large_reply_to_a_late_reader),
        cmocka_unit_test(test_time_limits),
        cmocka_unit_test(test_write_limit),
        cmocka_unit_test(test_connections_max),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_free_with_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
