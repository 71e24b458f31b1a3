// The rig of the HTTP tests: see the header.
#include "tests/unit/common/http_harness.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/address.h"

static void on_close(struct http_exchange *x, void *arg)
{
    (void)x;
    ((struct rig *)arg)->n_closed++;
}

void rig_reply(struct http_exchange *x, int status, const char *body)
{
    http_reply_begin(x, status);
    http_reply_body(x, span_of(body));
}

static void echo(struct http_exchange *x)
{
    const struct http_request *r = http_exchange_request(x);
    struct buf b;
    buf_init(&b, 16 * 1024 * 1024);
    buf_append_span(&b, r->method);
    buf_append_char(&b, ' ');
    buf_append_span(&b, r->target);
    buf_append_char(&b, ' ');
    buf_append_span(&b, r->body);
    http_reply_begin(x, 200);
    http_reply_header(x, "X-Peer", r->peer);
    http_reply_header(x, "X-Host", http_request_header(r, "host"));
    http_reply_header(x, "X-Loopback", r->peer_is_loopback ? SPAN("yes") : SPAN("no"));
    http_reply_body(x, buf_span(&b));
    buf_done(&b);
}

static void handle(struct http_exchange *x, void *arg)
{
    struct rig *rig = arg;
    const struct http_request *r = http_exchange_request(x);
    rig->n_handled++;
    if (span_starts(r->target, "/echo")) {
        echo(x);
    } else if (span_starts(r->target, "/big")) {
        char *big = malloc(8 << 20);
        assert_non_null(big);
        memset(big, 'x', 8 << 20);
        http_reply_begin(x, 200);
        http_reply_body(x, (struct span){big, 8 << 20});
        free(big);
    } else if (span_starts(r->target, "/none")) {
        http_reply_begin(x, 204);
        http_reply_body(x, SPAN("not sent"));
    } else {
        assert_true(rig->n_held < 16);
        rig->held[rig->n_held++] = x;
        http_exchange_on_close(x, on_close, rig);
    }
}

void rig_begin(struct rig *rig, const struct http_limits *limits)
{
    char error[HTTP_ERROR_MAX] = "";
    struct http_limits usual = http_limits_default();
    *rig = (struct rig){.base = event_base_new()};
    assert_non_null(rig->base);
    rig->server = http_server_new(rig->base, limits ? limits : &usual, handle, rig);
    assert_non_null(rig->server);
    if (!http_server_listen(rig->server, "127.0.0.1:0", false, error))
        fail_msg("%s", error);
    assert_true(http_server_address(rig->server, 0, rig->address));
}

void rig_end(struct rig *rig)
{
    http_server_free(rig->server);
    event_base_free(rig->base);
}

void rig_turn(struct rig *rig)
{
    static const struct timeval wait = {.tv_usec = 1000};
    event_base_loopexit(rig->base, &wait);
    event_base_loop(rig->base, EVLOOP_ONCE);
    if (!rig->no_flush)
        http_server_flush(rig->server);
}

struct peer_socket peer_connect(const char *address)
{
    struct http_address a;
    struct peer_socket p = {0};
    assert_true(http_address_parse(address, &a));
    buf_init(&p.got, 64 << 20);
    p.fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p.fd >= 0);
    assert_int_equal(connect(p.fd, (struct sockaddr *)&a.sa, a.len), 0);
    assert_int_equal(fcntl(p.fd, F_SETFL, O_NONBLOCK), 0);
    return p;
}

void peer_close(struct peer_socket *p)
{
    close(p->fd);
    buf_done(&p->got);
}

void peer_send(struct peer_socket *p, struct span bytes)
{
    assert_int_equal(send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

static void take(struct peer_socket *p)
{
    for (;;) {
        char *to = buf_reserve(&p->got, 65536);
        assert_non_null(to);
        ssize_t n = recv(p->fd, to, 65536, 0);
        if (n <= 0) {
            p->eof |= n == 0;
            p->reset |= n < 0 && errno != EAGAIN;
            return;
        }
        buf_commit(&p->got, (size_t)n);
    }
}

size_t peer_count(struct peer_socket *p, const char *text)
{
    size_t n = 0;
    take(p);
    const char *at = p->got.data, *end = at + p->got.len;
    while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        n++;
        at++;
    }
    return n;
}

bool peer_has(struct peer_socket *p, const char *text)
{
    return peer_count(p, text) > 0;
}

bool peer_at_end(struct peer_socket *p)
{
    take(p);
    return p->eof || p->reset;
}
