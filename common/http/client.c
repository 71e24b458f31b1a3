// Asynchronous HTTP client for one peer: connection pool, calls, timeouts, the one retry. Used by ddbd to reach kmsd
// and by kmsd to reach proxies of key stores; replies are taken apart by reply_reader.c, TLS is tls.c's, names are
// lookup.c's, signing and JSON are left to the caller.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http/client_internal.h"

#define REQUEST_MAX (64 * 1024 * 1024)

struct http_client_limits http_client_limits_default(void)
{
    return (struct http_client_limits){.reply_max = 8 * 1024 * 1024, .connections_max = 256, .idle_max = 16};
}

const char *http_client_failure_text(enum http_client_failure failure)
{
    static const char *const texts[] = {
        [HTTP_CLIENT_OK] = "no failure",
        [HTTP_CLIENT_TLS] = "cannot establish TLS",
        [HTTP_CLIENT_CONNECT] = "cannot connect",
        [HTTP_CLIENT_TIMEOUT] = "timed out",
        [HTTP_CLIENT_CLOSED] = "connection closed before the reply was complete",
        [HTTP_CLIENT_MALFORMED] = "malformed reply",
        [HTTP_CLIENT_TOO_LARGE] = "reply too large",
        [HTTP_CLIENT_NO_MEMORY] = "out of memory",
    };
    return texts[failure];
}

static void call_start(struct http_client_call *call);

// ---- the end of a call ----

void client_kick(struct http_client *client)
{
    if (!TAILQ_EMPTY(&client->waiting))
        event_active(client->kick, EV_TIMEOUT, 0);
}

static void call_free(struct http_client_call *call)
{
    struct http_client *client = call->client;
    TAILQ_REMOVE(call->conn ? &client->running : &client->waiting, call, link);
    event_del(&call->timer);
    buf_wipe(&call->request);
    reply_reader_done(&call->reader);
    free(call);
}

// Takes the connection from its call, which waits again; the connection is kept or closed.
static void detach(struct http_client_call *call, bool keep)
{
    struct client_conn *conn = call->conn;
    struct http_client *client = call->client;
    if (!conn)
        return;
    TAILQ_REMOVE(&client->running, call, link);
    TAILQ_INSERT_HEAD(&client->waiting, call, link);
    TAILQ_REMOVE(&client->busy, conn, link);
    TAILQ_INSERT_HEAD(&client->idle, conn, link);
    client->n_idle++;
    conn->call = NULL;
    call->conn = NULL;
    conn->used = true;
    if (!keep || client->n_idle > client->limits.idle_max)
        client_conn_free(conn);
}

// Only from the loop: the caller's code runs here, and may begin or cancel other calls.
void client_call_finish(struct http_client_call *call, enum http_client_failure failure)
{
    struct reply_reader *r = &call->reader;
    struct http_client *client = call->client;
    struct http_client_reply reply = {.status = r->response.status, .headers = &r->response.headers};
    bool ok = failure == HTTP_CLIENT_OK;
    reply.body = reply_reader_body(r);
    detach(call, ok && reply_reader_reusable(r) && call->sent == call->request.len);
    // Out of the client's hands, so that nobody starts or cancels it while its callback runs.
    TAILQ_REMOVE(&client->waiting, call, link);
    event_del(&call->timer);
    call->cb(call->arg, ok ? &reply : NULL, failure);
    TAILQ_INSERT_HEAD(&client->waiting, call, link);
    call_free(call);
    client_kick(client);
}

// The connection broke. A pooled one may have been closed by the peer just as the call went out: that call is repeated.
void client_conn_lost(struct client_conn *conn, enum http_client_failure failure)
{
    struct http_client_call *call = conn->call;
    bool again = conn->used && !call->answered && !call->retried;
    if (!conn->connected)
        peer_failed(&call->client->peer);
    if (!again) {
        client_call_finish(call, failure);
        return;
    }
    detach(call, false);
    call->retried = true;
    call->sent = 0;
    call_start(call);
}

// ---- the start of a call ----

// Whether the peer's address is known, or can be found at once. If not, the waiting calls are looked at again when the
// lookup is over.
static bool address_ready(struct http_client *client);

// Finds a connection for a waiting call; without one it goes on waiting. Never calls the callback.
static void call_start(struct http_client_call *call)
{
    struct http_client *client = call->client;
    struct client_conn *conn = TAILQ_FIRST(&client->idle);
    bool full = client->limits.connections_max && client->n_conns >= client->limits.connections_max;
    if (conn && call->retried) { // a second stale connection would be one too many
        if (full)
            client_conn_free(conn);
        conn = NULL;
        full = false;
    }
    if (!conn && (full || !address_ready(client)))
        return;
    if (!conn && !(conn = client_conn_new(client))) {
        call->failure = HTTP_CLIENT_CONNECT;
        client_kick(client);
        return;
    }
    TAILQ_REMOVE(&client->waiting, call, link);
    TAILQ_INSERT_TAIL(&client->running, call, link);
    TAILQ_REMOVE(&client->idle, conn, link);
    TAILQ_INSERT_TAIL(&client->busy, conn, link);
    client->n_idle--;
    conn->call = call;
    call->conn = conn;
    if (conn->connected)
        client_conn_write(conn);
    else
        event_add(&conn->write_event, NULL);
}

static void on_address(void *arg, const struct evutil_addrinfo *list)
{
    struct http_client *client = arg;
    struct http_client_call *call;
    client->lookup = NULL;
    if (!peer_take(&client->peer, list)) {
        TAILQ_FOREACH(call, &client->waiting, link)
        {
            call->failure = HTTP_CLIENT_CONNECT;
        }
    }
    client_kick(client);
}

// Plain clients look up names as they connect (peer_resolve()).
static bool address_ready(struct http_client *client)
{
    if (client->peer.resolved || !client->tls)
        return true;
    if (!client->lookup)
        client->lookup = lookup_begin(client->base, client->peer.name, client->peer.port, on_address, client);
    return false;
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_client *client = arg;
    struct http_client_call *call, *failed;
    do { // a callback may change the list: look again from its start
        failed = NULL;
        TAILQ_FOREACH(call, &client->waiting, link)
        {
            if (call->failure != HTTP_CLIENT_OK)
                failed = call;
        }
        if (failed)
            client_call_finish(failed, failed->failure);
    } while (failed);
    while ((call = TAILQ_FIRST(&client->waiting)) != NULL && call->failure == HTTP_CLIENT_OK) {
        call_start(call);
        if (!call->conn)
            break;
    }
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    client_call_finish(arg, HTTP_CLIENT_TIMEOUT);
}

// ---- calls ----

static bool printable(struct span s, char least)
{
    for (size_t i = 0; i < s.n; i++) {
        if (((uint8_t)s.p[i] < (uint8_t)least && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

// The body is copied once the head is there, into a buffer of the right size: growing would leave copies behind.
static bool build_request(struct http_client_call *call, const char *method, struct span target,
                          const struct http_header *headers, size_t n, struct span body)
{
    struct buf *b = &call->request;
    bool has_host = false, good = target.n && printable(target, '!') && printable(span_of(method), '!');
    size_t total = strlen(method) + target.n + body.n + strlen(call->client->peer.host) + 100;
    for (size_t i = 0; i < n; i++) {
        total += headers[i].name.n + headers[i].value.n + 4;
        has_host |= span_ieq(headers[i].name, SPAN("host"));
        good &= headers[i].name.n && printable(headers[i].name, '!') && printable(headers[i].value, ' ');
    }
    if (!good || !buf_reserve(b, total))
        return false;
    buf_appendf(b, "%s ", method);
    buf_append_span(b, target);
    buf_append_str(b, " HTTP/1.1\r\n");
    if (!has_host)
        buf_appendf(b, "Host: %s\r\n", call->client->peer.host);
    for (size_t i = 0; i < n; i++) {
        buf_append_span(b, headers[i].name);
        buf_append(b, ": ", 2);
        buf_append_span(b, headers[i].value);
        buf_append(b, "\r\n", 2);
    }
    if (body.n || strcmp(method, "POST") == 0)
        buf_appendf(b, "Content-Length: %zu\r\n", body.n);
    buf_append(b, "\r\n", 2);
    buf_append_span(b, body);
    return buf_ok(b);
}

struct http_client_call *
http_client_call(struct http_client *client, const char *method, struct span target, const struct http_header *headers,
                 size_t n, struct span body, unsigned timeout_ms,
                 void (*cb)(void *arg, const struct http_client_reply *reply, enum http_client_failure failure),
                 void *arg)
{
    struct http_client_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->client = client;
    call->cb = cb;
    call->arg = arg;
    buf_init(&call->request, REQUEST_MAX);
    reply_reader_init(&call->reader, client->limits.reply_max, strcmp(method, "HEAD") == 0);
    evtimer_assign(&call->timer, client->base, on_timeout, call);
    bool queued = !TAILQ_EMPTY(&client->waiting);
    TAILQ_INSERT_TAIL(&client->waiting, call, link);
    if (!build_request(call, method, target, headers, n, body)) {
        call_free(call);
        return NULL;
    }
    if (timeout_ms) {
        struct timeval after = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
        evtimer_add(&call->timer, &after);
    }
    if (queued)
        client_kick(client); // others are first
    else
        call_start(call);
    return call;
}

void http_client_cancel(struct http_client_call *call)
{
    detach(call, false);
    call_free(call);
}

// ---- life ----

static struct http_client *new_client(struct event_base *base, const char *url, const struct http_client_limits *limits,
                                      struct http_tls *tls, char error[HTTP_CLIENT_ERROR_MAX])
{
    struct http_client *client = calloc(1, sizeof *client);
    if (!client || !(client->kick = event_new(base, -1, 0, on_kick, client))) {
        snprintf(error, HTTP_CLIENT_ERROR_MAX, "out of memory");
        free(client);
        return NULL;
    }
    client->base = base;
    client->limits = *limits;
    client->tls = tls;
    TAILQ_INIT(&client->idle);
    TAILQ_INIT(&client->busy);
    TAILQ_INIT(&client->waiting);
    TAILQ_INIT(&client->running);
    if (peer_parse(&client->peer, url) && client->peer.tls == (tls != NULL))
        return client;
    snprintf(error, HTTP_CLIENT_ERROR_MAX, "%.100s is not of the form %s://host:port", url, tls ? "https" : "http");
    http_client_free(client);
    return NULL;
}

struct http_client *http_client_new(struct event_base *base, const char *url, const struct http_client_limits *limits,
                                    char error[HTTP_CLIENT_ERROR_MAX])
{
    return new_client(base, url, limits, NULL, error);
}

struct http_client *http_client_new_tls(struct event_base *base, const char *url,
                                        const struct http_client_limits *limits, struct http_tls *tls,
                                        const char *connect_to, char error[HTTP_CLIENT_ERROR_MAX])
{
    struct http_client *client = new_client(base, url, limits, tls, error);
    if (!client || !connect_to || peer_connect_to(&client->peer, connect_to))
        return client;
    snprintf(error, HTTP_CLIENT_ERROR_MAX, "%.100s is not of the form address:port", connect_to);
    http_client_free(client);
    return NULL;
}

void http_client_free(struct http_client *client)
{
    struct http_client_call *call;
    struct client_conn *conn;
    if (!client)
        return;
    while ((call = TAILQ_FIRST(&client->running)) != NULL || (call = TAILQ_FIRST(&client->waiting)) != NULL)
        http_client_cancel(call);
    while ((conn = TAILQ_FIRST(&client->idle)) != NULL)
        client_conn_free(conn);
    lookup_forget(client->lookup);
    event_free(client->kick);
    free(client);
}

const char *http_client_host(const struct http_client *client)
{
    return client->peer.host;
}
