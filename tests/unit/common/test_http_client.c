// The client against the real server and against peers that misbehave.
#include "tests/unit/common/http_harness.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/address.h"
#include "common/http/peer.h"

// What a callback saw.
struct outcome {
    int calls;
    enum http_client_failure failure;
    int status;
    struct buf body;
    char header[64];
    struct http_client *then; // begin another call from the callback
    struct outcome *then_outcome;
};

static void on_reply(void *arg, const struct http_client_reply *reply, enum http_client_failure failure)
{
    struct outcome *o = arg;
    o->calls++;
    o->failure = failure;
    assert_int_equal(reply != NULL, failure == HTTP_CLIENT_OK);
    if (reply) {
        const struct http_header *h = http_headers_find(reply->headers, "x-host");
        o->status = reply->status;
        buf_init(&o->body, 16 << 20);
        buf_append_span(&o->body, reply->body);
        if (h)
            snprintf(o->header, sizeof o->header, "%.*s", (int)h->value.n, h->value.p);
    }
    if (o->then)
        http_client_call(o->then, "GET", SPAN("/echo/then"), NULL, 0, (struct span){0}, 0, on_reply, o->then_outcome);
}

static bool body_is(struct outcome *o, const char *text)
{
    bool same = o->calls == 1 && o->failure == HTTP_CLIENT_OK && span_is(buf_span(&o->body), text);
    buf_done(&o->body);
    return same;
}

static struct http_client *client_for(struct rig *rig, const char *address, const struct http_client_limits *limits)
{
    char url[100], error[HTTP_CLIENT_ERROR_MAX] = "";
    struct http_client_limits usual = http_client_limits_default();
    snprintf(url, sizeof url, "http://%s", address);
    struct http_client *client = http_client_new(rig->base, url, limits ? limits : &usual, error);
    if (!client)
        fail_msg("%s", error);
    return client;
}

static struct http_client_call *call(struct http_client *client, const char *target, unsigned timeout_ms,
                                     struct outcome *o)
{
    *o = (struct outcome){0};
    return http_client_call(client, "POST", span_of(target), NULL, 0, SPAN("{}"), timeout_ms, on_reply, o);
}

static void test_calls_reuse_a_connection(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome o;
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, rig.address, NULL);
    assert_string_equal(http_client_host(client), rig.address);
    for (int i = 0; i < 3; i++) {
        assert_non_null(call(client, "/echo?a=b", 10000, &o));
        assert_int_equal(o.calls, 0);
        RIG_UNTIL(&rig, o.calls == 1);
        assert_string_equal(o.header, rig.address);
        assert_true(body_is(&o, "POST /echo?a=b {}"));
        assert_int_equal(http_server_connections(rig.server), 1);
    }
    struct http_header own[] = {{SPAN("host"), SPAN("signed")}, {SPAN("X-Y"), SPAN("z")}};
    o = (struct outcome){0};
    http_client_call(client, "GET", SPAN("/echo"), own, 2, (struct span){0}, 0, on_reply, &o);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_string_equal(o.header, "signed");
    assert_true(body_is(&o, "GET /echo "));
    o = (struct outcome){0};
    http_client_call(client, "HEAD", SPAN("/big"), NULL, 0, (struct span){0}, 0, on_reply, &o);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_int_equal(o.status, 200);
    assert_true(body_is(&o, ""));
    assert_non_null(call(client, "/none", 0, &o));
    RIG_UNTIL(&rig, o.calls == 1);
    assert_int_equal(o.status, 204);
    assert_int_equal(http_server_connections(rig.server), 1);
    http_client_free(client);
    RIG_UNTIL(&rig, http_server_connections(rig.server) == 0);
    rig_end(&rig);
}

static void test_large_both_ways(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome o = {0};
    struct http_client_limits limits = {.reply_max = 9 << 20};
    char *big = calloc(1, 1 << 20);
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, rig.address, &limits);
    http_client_call(client, "POST", SPAN("/echo"), NULL, 0, (struct span){big, 1 << 20}, 0, on_reply, &o);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_int_equal(o.body.len, (1 << 20) + 11);
    buf_done(&o.body);
    call(client, "/big", 0, &o);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_int_equal(o.body.len, 8 << 20);
    buf_done(&o.body);
    http_client_free(client);
    limits.reply_max = 8 << 20; // the body alone would fit
    client = client_for(&rig, rig.address, &limits);
    call(client, "/big", 0, &o);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_int_equal(o.failure, HTTP_CLIENT_TOO_LARGE);
    http_client_free(client);
    free(big);
    rig_end(&rig);
}

static void test_timeout_and_cancel(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome late, cancelled, poll;
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, rig.address, NULL);
    call(client, "/hold/late", 10, &late);
    struct http_client_call *c = call(client, "/hold/cancelled", 0, &cancelled);
    call(client, "/hold/poll", 0, &poll);
    RIG_UNTIL(&rig, late.calls == 1 && rig.n_held == 3);
    assert_int_equal(late.failure, HTTP_CLIENT_TIMEOUT);
    assert_int_equal(cancelled.calls + poll.calls, 0);
    http_client_cancel(c);
    RIG_UNTIL(&rig, rig.n_closed == 2); // the server hears of both
    for (size_t i = 0; i < rig.n_held; i++)
        rig_reply(rig.held[i], 200, "polled");
    RIG_UNTIL(&rig, poll.calls == 1);
    assert_true(body_is(&poll, "polled"));
    assert_int_equal(cancelled.calls, 0);
    assert_int_equal(late.calls, 1);
    http_client_free(client);
    rig_end(&rig);
}

static void test_calls_wait_for_a_connection(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome held, o[4], expired;
    struct http_client_limits limits = http_client_limits_default();
    limits.connections_max = 1;
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, rig.address, &limits);
    call(client, "/hold", 0, &held);
    for (size_t i = 0; i < 4; i++)
        call(client, "/echo", 0, &o[i]);
    call(client, "/echo", 10, &expired); // waiting counts
    RIG_UNTIL(&rig, rig.n_held == 1 && expired.calls == 1);
    assert_int_equal(expired.failure, HTTP_CLIENT_TIMEOUT);
    assert_int_equal(http_server_connections(rig.server), 1);
    assert_int_equal(o[0].calls, 0);
    rig_reply(rig.held[0], 200, "");
    RIG_UNTIL(&rig, o[0].calls && o[1].calls && o[2].calls && o[3].calls && held.calls);
    for (size_t i = 0; i < 4; i++)
        assert_true(body_is(&o[i], "POST /echo {}"));
    assert_int_equal(http_server_connections(rig.server), 1);
    http_client_free(client);
    rig_end(&rig);
}

static void test_call_from_a_callback(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome first, second = {0};
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, rig.address, NULL);
    call(client, "/echo", 0, &first);
    first.then = client;
    first.then_outcome = &second;
    RIG_UNTIL(&rig, second.calls == 1);
    assert_true(body_is(&first, "POST /echo {}"));
    assert_true(body_is(&second, "GET /echo/then "));
    assert_int_equal(http_server_connections(rig.server), 1);
    http_client_free(client);
    rig_end(&rig);
}

// ---- a peer under the test's control ----

struct fake {
    int listener;
    char address[HTTP_ADDRESS_MAX];
};

static struct fake fake_begin(void)
{
    struct http_address a;
    struct fake f;
    assert_true(http_address_parse("127.0.0.1:0", &a));
    f.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f.listener, (struct sockaddr *)&a.sa, a.len), 0);
    assert_int_equal(listen(f.listener, 10), 0);
    assert_int_equal(getsockname(f.listener, (struct sockaddr *)&a.sa, &a.len), 0);
    http_address_format(&a, f.address, sizeof f.address);
    return f;
}

static bool fake_accept(struct fake *f, struct peer_socket *p)
{
    *p = (struct peer_socket){.fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    buf_init(&p->got, 1 << 20);
    return p->fd >= 0;
}

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        bool closes;
        enum http_client_failure failure;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, HTTP_CLIENT_OK, "ok"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x\r\nk\r\n0\r\nA: b\r\n\r\n", false,
         HTTP_CLIENT_OK, "ok"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
         "2\r\n\r\nok",
         false, HTTP_CLIENT_OK, "ok"},
        {"HTTP/1.1 200 OK\r\n\r\nok", true, HTTP_CLIENT_OK, "ok"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, HTTP_CLIENT_OK, "ok"},
        {"HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_CLIENT_OK, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more", false, HTTP_CLIENT_OK, "ok"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", true, HTTP_CLIENT_CLOSED, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", true, HTTP_CLIENT_CLOSED, NULL},
        {"HTTP/1.1 200 OK\r\nConte", true, HTTP_CLIENT_CLOSED, NULL},
        {"", true, HTTP_CLIENT_CLOSED, NULL},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", false, HTTP_CLIENT_MALFORMED, NULL},
        {"HTTP/1.1 200 OK\n\n", false, HTTP_CLIENT_MALFORMED, NULL},
        {"220 mail ESMTP\r\n\r\n", false, HTTP_CLIENT_MALFORMED, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, HTTP_CLIENT_MALFORMED, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", false, HTTP_CLIENT_TOO_LARGE, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n", false, HTTP_CLIENT_TOO_LARGE, NULL},
    };
    struct http_client_limits limits = {.reply_max = 1000};
    for (size_t pieces = 0; pieces < 2; pieces++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct rig rig;
            struct outcome o;
            struct peer_socket p;
            struct fake fake = fake_begin();
            rig_begin(&rig, NULL);
            struct http_client *client = client_for(&rig, fake.address, &limits);
            call(client, "/x", 0, &o);
            RIG_UNTIL(&rig, fake_accept(&fake, &p));
            RIG_UNTIL(&rig, peer_has(&p, "\r\n\r\n{}"));
            assert_true(peer_has(&p, "POST /x HTTP/1.1\r\n") && peer_has(&p, "Content-Length: 2\r\n"));
            size_t n = strlen(cases[i].reply), step = pieces ? 1 : n;
            for (size_t at = 0; at < n && !o.calls; at += step) {
                send(p.fd, cases[i].reply + at, step, MSG_NOSIGNAL);
                rig_turn(&rig);
            }
            if (cases[i].closes)
                shutdown(p.fd, SHUT_RDWR);
            RIG_UNTIL(&rig, o.calls == 1);
            assert_int_equal(o.failure, cases[i].failure);
            if (cases[i].body)
                assert_true(body_is(&o, cases[i].body));
            http_client_free(client);
            peer_close(&p);
            close(fake.listener);
            rig_end(&rig);
        }
    }
}

// A pooled connection that the peer closes under the call is replaced once; a second time is the caller's matter.
static void test_retry(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome o;
    struct peer_socket p[3];
    struct fake fake = fake_begin();
    struct span ok = SPAN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, fake.address, NULL);
    call(client, "/1", 0, &o);
    RIG_UNTIL(&rig, fake_accept(&fake, &p[0]));
    RIG_UNTIL(&rig, peer_has(&p[0], "{}"));
    peer_send(&p[0], ok);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_true(body_is(&o, "ok"));

    call(client, "/2", 0, &o);
    RIG_UNTIL(&rig, peer_has(&p[0], "POST /2"));
    peer_close(&p[0]);
    RIG_UNTIL(&rig, fake_accept(&fake, &p[1]));
    RIG_UNTIL(&rig, peer_has(&p[1], "POST /2 HTTP/1.1\r\n") && peer_has(&p[1], "{}"));
    peer_send(&p[1], ok);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_true(body_is(&o, "ok"));

    call(client, "/3", 0, &o);
    RIG_UNTIL(&rig, peer_has(&p[1], "POST /3"));
    peer_close(&p[1]);
    RIG_UNTIL(&rig, fake_accept(&fake, &p[2]));
    RIG_UNTIL(&rig, peer_has(&p[2], "POST /3"));
    peer_close(&p[2]);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_int_equal(o.failure, HTTP_CLIENT_CLOSED);

    http_client_free(client);
    close(fake.listener);
    rig_end(&rig);
}

// Once a byte of the reply came, nothing is repeated: the peer may have acted on the request.
static void test_no_retry_after_a_byte(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome o;
    struct peer_socket p, none;
    struct fake fake = fake_begin();
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, fake.address, NULL);
    call(client, "/1", 0, &o);
    RIG_UNTIL(&rig, fake_accept(&fake, &p));
    RIG_UNTIL(&rig, peer_has(&p, "{}"));
    peer_send(&p, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    RIG_UNTIL(&rig, o.calls == 1);
    call(client, "/2", 0, &o);
    RIG_UNTIL(&rig, peer_has(&p, "POST /2"));
    peer_send(&p, SPAN("H"));
    rig_turn(&rig);
    peer_close(&p);
    RIG_UNTIL(&rig, o.calls == 1);
    assert_int_equal(o.failure, HTTP_CLIENT_CLOSED);
    assert_false(fake_accept(&fake, &none));
    http_client_free(client);
    close(fake.listener);
    rig_end(&rig);
}

// Bytes that no request asked for must not become the reply to the next one.
static void test_unasked_bytes(void **state)
{
    (void)state;
    struct span ok = SPAN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    struct span two =
        SPAN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    for (int together = 0; together < 2; together++) {
        struct rig rig;
        struct outcome o;
        struct peer_socket p, q;
        struct fake fake = fake_begin();
        rig_begin(&rig, NULL);
        struct http_client *client = client_for(&rig, fake.address, NULL);
        call(client, "/1", 0, &o);
        RIG_UNTIL(&rig, fake_accept(&fake, &p));
        RIG_UNTIL(&rig, peer_has(&p, "{}"));
        peer_send(&p, together ? two : ok);
        RIG_UNTIL(&rig, o.calls == 1);
        assert_true(body_is(&o, "ok"));
        if (!together)
            peer_send(&p, ok);
        RIG_UNTIL(&rig, peer_at_end(&p));
        call(client, "/2", 0, &o);
        RIG_UNTIL(&rig, fake_accept(&fake, &q));
        RIG_UNTIL(&rig, peer_has(&q, "POST /2"));
        peer_send(&q, ok);
        RIG_UNTIL(&rig, o.calls == 1);
        assert_true(body_is(&o, "ok"));
        http_client_free(client);
        peer_close(&p);
        peer_close(&q);
        close(fake.listener);
        rig_end(&rig);
    }
}

static void test_idle_connection_closed_by_peer(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome o;
    struct http_limits limits = http_limits_default();
    limits.idle_ms = 10;
    rig_begin(&rig, &limits);
    struct http_client *client = client_for(&rig, rig.address, NULL);
    for (int i = 0; i < 2; i++) {
        call(client, "/echo", 0, &o);
        RIG_UNTIL(&rig, o.calls == 1);
        assert_true(body_is(&o, "POST /echo {}"));
        RIG_UNTIL(&rig, http_server_connections(rig.server) == 0);
    }
    http_client_free(client);
    rig_end(&rig);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome o[3];
    struct fake fake = fake_begin();
    close(fake.listener);
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, fake.address, NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(call(client, "/x", 0, &o[i]));
        assert_int_equal(o[i].calls, 0); // never from within the call
    }
    RIG_UNTIL(&rig, o[0].calls && o[1].calls && o[2].calls);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(o[i].failure, HTTP_CLIENT_CONNECT);
    http_client_free(client);
    rig_end(&rig);
}

static void test_free_with_calls(void **state)
{
    (void)state;
    struct rig rig;
    struct outcome o[3];
    struct http_client_limits limits = http_client_limits_default();
    limits.connections_max = 2;
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, rig.address, &limits);
    for (size_t i = 0; i < 3; i++)
        call(client, "/hold", 10000, &o[i]);
    RIG_UNTIL(&rig, rig.n_held == 2);
    http_client_free(client);
    RIG_UNTIL(&rig, rig.n_closed == 2);
    assert_int_equal(o[0].calls + o[1].calls + o[2].calls, 0);
    rig_end(&rig);
}

static void test_refused_requests(void **state)
{
    (void)state;
    static const struct http_header bad[] = {
        {SPAN("X"), SPAN("a\r\nEvil: b")}, {SPAN("X"), SPAN("a\nb")},   {SPAN("X"), SPAN("a\0b")},
        {SPAN("X Y"), SPAN("a")},          {SPAN("X\r\nY"), SPAN("a")}, {SPAN(""), SPAN("a")},
    };
    struct rig rig;
    struct outcome o = {0};
    rig_begin(&rig, NULL);
    struct http_client *client = client_for(&rig, rig.address, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(http_client_call(client, "GET", SPAN("/echo"), &bad[i], 1, (struct span){0}, 0, on_reply, &o));
    assert_null(http_client_call(client, "GET", SPAN("/a b"), NULL, 0, (struct span){0}, 0, on_reply, &o));
    assert_null(http_client_call(client, "GET", SPAN(""), NULL, 0, (struct span){0}, 0, on_reply, &o));
    assert_null(http_client_call(client, "GET /x", SPAN("/"), NULL, 0, (struct span){0}, 0, on_reply, &o));
    rig_turn(&rig);
    assert_int_equal(o.calls, 0);
    http_client_free(client);
    rig_end(&rig);
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *name, *port; // host NULL: refused
    } cases[] = {
        {"http://127.0.0.1:4599", "127.0.0.1:4599", "127.0.0.1", "4599"},
        {"HTTP://127.0.0.1/", "127.0.0.1", "127.0.0.1", "80"},
        {"http://[::1]:8000/", "[::1]:8000", "::1", "8000"},
        {"http://[::1]", "[::1]", "::1", "80"},
        {"http://kmsd:4599", "kmsd:4599", "kmsd", "4599"},
        {"http://kmsd:80", "kmsd", "kmsd", "80"},
        {"https://kmsd", "kmsd", "kmsd", "443"},
        {"HTTPS://kmsd:8443/", "kmsd:8443", "kmsd", "8443"},
        {"https://kmsd:80", "kmsd:80", "kmsd", "80"},
        {"ftp://kmsd", NULL, NULL, NULL},
        {"kmsd:4599", NULL, NULL, NULL},
        {"http://", NULL, NULL, NULL},
        {"http://:80", NULL, NULL, NULL},
        {"http://kmsd:", NULL, NULL, NULL},
        {"http://kmsd:0", NULL, NULL, NULL},
        {"http://kmsd:65536", NULL, NULL, NULL},
        {"http://kmsd:8x", NULL, NULL, NULL},
        {"http://kmsd/path", NULL, NULL, NULL},
        {"http://[::1", NULL, NULL, NULL},
        {"http://[::1]x", NULL, NULL, NULL},
        {"http://[kmsd]", NULL, NULL, NULL},
        {"http://::1:80", NULL, NULL, NULL},
        {"http://a b", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer peer;
        bool ok = peer_parse(&peer, cases[i].url);
        if (ok != (cases[i].host != NULL))
            fail_msg("%s", cases[i].url);
        if (!ok)
            continue;
        assert_string_equal(peer.host, cases[i].host);
        assert_string_equal(peer.name, cases[i].name);
        assert_string_equal(peer.port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_reuse_a_connection),
        cmocka_unit_test(test_large_both_ways),
        cmocka_unit_test(test_timeout_and_cancel),
        cmocka_unit_test(test_calls_wait_for_a_connection),
        cmocka_unit_test(test_call_from_a_callback),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_no_retry_after_a_byte),
        cmocka_unit_test(test_unasked_bytes),
        cmocka_unit_test(test_idle_connection_closed_by_peer),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_free_with_calls),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
