// Makes and stages replies. Called by handlers through server.h and by conn.c for the server's own refusals; when
// staged replies leave is the server's matter.
#include "common/http/reply.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/http/internal.h"

#define KEEP_MAX (16 * 1024)
#define JOINED_MAX 4096 // a body up to this is copied behind the head: one plain write is cheaper than a gathered one

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {302, "Found"},
        {304, "Not Modified"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status == status)
            return rows[i].reason;
    }
    return "Status";
}

static void wipe_buffer(struct buf *b)
{
    if (b->len)
        explicit_bzero(b->data, b->len);
    buf_reset(b, KEEP_MAX);
}

void reply_clear(struct http_exchange *x)
{
    wipe_buffer(&x->head);
    wipe_buffer(&x->body);
    x->sent = 0;
}

void reply_unstage(struct http_exchange *x)
{
    TAILQ_REMOVE(&x->server->staged, x, staged_link);
    x->server->n_staged--;
    x->staged = false;
}

void http_reply_begin(struct http_exchange *x, int status)
{
    http_reply_discard(x);
    x->status = status;
    buf_append(&x->head, "HTTP/1.1 ", 9);
    buf_append_u64(&x->head, (uint64_t)status);
    buf_append_char(&x->head, ' ');
    buf_append_str(&x->head, http_reason(status));
    buf_append(&x->head, "\r\n", 2);
}

void http_reply_header(struct http_exchange *x, const char *name, struct span value)
{
    size_t n = 0;
    while (n < value.n && value.p[n] != '\r' && value.p[n] != '\n' && value.p[n] != '\0')
        n++;
    buf_append_str(&x->head, name);
    buf_append(&x->head, ": ", 2);
    buf_append(&x->head, value.p, n);
    buf_append(&x->head, "\r\n", 2);
}

void http_reply_body(struct http_exchange *x, struct span body)
{
    wipe_buffer(&x->body);
    buf_append_span(&x->body, body);
    if (x->staged)
        return;
    x->staged = true;
    TAILQ_INSERT_TAIL(&x->server->staged, x, staged_link);
    x->server->n_staged++;
}

// A reply that was never begun cannot be finished, and that ends its connection.
void http_reply_cut(struct http_exchange *x)
{
    http_reply_discard(x);
    http_reply_body(x, (struct span){NULL, 0});
}

void http_reply_discard(struct http_exchange *x)
{
    if (x->staged)
        reply_unstage(x);
    reply_clear(x);
}

void reply_refuse(struct http_exchange *x, int status)
{
    x->close_after = true;
    http_reply_begin(x, status);
    http_reply_header(x, "Content-Type", SPAN("text/plain"));
    http_reply_body(x, span_of(http_reason(status)));
}

static void append_date(struct http_exchange *x)
{
    struct http_server *server = x->server;
    int64_t now_s = clock_real_ns() / NS_PER_S;
    if (now_s != server->date_s) {
        char text[TIME_HTTP_SIZE];
        time_http(now_s * NS_PER_S, text);
        size_t n = strlen(text);
        memcpy(server->date, "Date: ", 6);
        memcpy(server->date + 6, text, n);
        memcpy(server->date + 6 + n, "\r\n", 2);
        server->date_len = n + 8;
        server->date_s = now_s;
    }
    buf_append(&x->head, server->date, server->date_len);
}

// RFC 9110 6.4.1, 8.6: 204 and 304 have neither content nor length; a HEAD's length is that of the GET.
bool reply_finish(struct http_exchange *x)
{
    bool begun = x->head.len > 0;
    bool bodiless = x->status == 204 || x->status == 304;
    append_date(x);
    if (!bodiless) {
        buf_append(&x->head, "Content-Length: ", 16);
        buf_append_u64(&x->head, x->body.len);
        buf_append(&x->head, "\r\n", 2);
    }
    if (x->close_after)
        buf_append_str(&x->head, "Connection: close\r\n");
    else if (span_is(x->request.version, "HTTP/1.0"))
        buf_append_str(&x->head, "Connection: keep-alive\r\n");
    buf_append(&x->head, "\r\n", 2);
    bool whole = buf_ok(&x->body);
    if (bodiless || span_is(x->request.method, "HEAD"))
        wipe_buffer(&x->body);
    if (x->body.len && x->body.len <= JOINED_MAX) {
        buf_append_span(&x->head, buf_span(&x->body));
        wipe_buffer(&x->body);
    }
    return begun && whole && buf_ok(&x->head);
}
