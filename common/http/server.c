// The server of one worker: listeners, accepting, the tick that enforces time limits, the flush at the end of a turn.
// Called by the daemon's worker; what happens on one connection is conn.c's.
#include "common/http/server.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/http/internal.h"

#define ACCEPTS_A_TURN 16
#define BACKLOG 1024
#define LINGER_MS 2000

struct http_limits http_limits_default(void)
{
    return (struct http_limits){.body_max = 1024 * 1024,
                                .connections_max = 1024,
                                .idle_ms = 60000,
                                .head_ms = 10000,
                                .body_ms = 30000,
                                .write_ms = 30000};
}

// ---- accepting ----

static void listeners_set(struct http_server *server, bool on)
{
    if (server->accepting == on)
        return;
    server->accepting = on;
    for (struct http_listener *l = server->listeners; l; l = l->next) {
        if (on)
            event_add(&l->event, NULL);
        else
            event_del(&l->event);
    }
}

static bool is_full(const struct http_server *server)
{
    return server->limits.connections_max && server->n_conns >= server->limits.connections_max;
}

// Out of descriptors or memory: the listener stays readable, so asking again at once would spin.
static void rest_from_accepting(struct http_server *server)
{
    static const struct timeval wait = {.tv_usec = 100000};
    listeners_set(server, false);
    event_add(server->accept_retry, &wait);
}

static void on_accept_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *server = arg;
    if (!is_full(server))
        listeners_set(server, true);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct http_server *server = ((struct http_listener *)arg)->server;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        if (is_full(server)) {
            listeners_set(server, false);
            return;
        }
        struct http_address peer = {.len = sizeof peer.sa};
        int client = accept4(fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                rest_from_accepting(server);
            return;
        }
        if (!conn_open(server, client, &peer)) {
            close(client);
            rest_from_accepting(server);
            return;
        }
        if (server->n_conns++ == 0)
            event_add(server->tick_event, &server->tick_every);
    }
}

void server_conn_closed(struct http_server *server)
{
    if (--server->n_conns == 0)
        event_del(server->tick_event);
    if (!server->accepting && !server->stopping && !event_pending(server->accept_retry, EV_TIMEOUT, NULL))
        listeners_set(server, true);
}

// ---- listening ----

static int fail(char error[HTTP_ERROR_MAX], const char *address, const char *what)
{
    snprintf(error, HTTP_ERROR_MAX, "cannot listen on %.80s: %.100s", address, what);
    return -1;
}

// SO_REUSEPORT lets every process of a user share a port. So the first worker binds without it, which fails when
// anybody has the port, and turns it on only then.
static int open_listener(const char *text, struct http_address *address, bool join, char error[HTTP_ERROR_MAX])
{
    static const int on = 1;
    if (!http_address_parse(text, address))
        return fail(error, text, "the address must look like 127.0.0.1:4599 or [::1]:4599");
    int fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(error, text, strerror(errno));
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              // Accepted sockets inherit it.
              setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    if (ok && address->sa.ss_family == AF_INET6)
        ok = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    if (ok && join)
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    ok = ok && bind(fd, (struct sockaddr *)&address->sa, address->len) == 0;
    if (ok && !join)
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    ok = ok && listen(fd, BACKLOG) == 0 && getsockname(fd, (struct sockaddr *)&address->sa, &address->len) == 0;
    if (ok)
        return fd;
    fail(error, text, strerror(errno));
    close(fd);
    return -1;
}

bool http_server_listen(struct http_server *server, const char *address, bool join, char error[HTTP_ERROR_MAX])
{
    struct http_listener *l = calloc(1, sizeof *l);
    if (!l) {
        fail(error, address, "out of memory");
        return false;
    }
    l->server = server;
    l->fd = open_listener(address, &l->address, join, error);
    if (l->fd < 0) {
        free(l);
        return false;
    }
    struct http_listener **end = &server->listeners;
    while (*end)
        end = &(*end)->next;
    *end = l;
    event_assign(&l->event, server->base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
    event_add(&l->event, NULL);
    server->accepting = true;
    return true;
}

bool http_server_address(const struct http_server *server, size_t i, char out[HTTP_ADDRESS_MAX])
{
    const struct http_listener *l = server->listeners;
    while (l && i--)
        l = l->next;
    if (l)
        http_address_format(&l->address, out, HTTP_ADDRESS_MAX);
    return l != NULL;
}

// ---- time limits ----

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *server = arg;
    struct http_conn *next;
    server->tick++;
    for (struct http_conn *conn = TAILQ_FIRST(&server->conns); conn; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (conn->deadline && conn->deadline <= server->tick)
            conn_expired(conn);
    }
}

// One more tick, since the current one has run for a while already.
static uint64_t in_ticks(unsigned ms, unsigned tick_ms)
{
    return ms ? (ms + tick_ms - 1) / tick_ms + 1 : 0;
}

static void set_ticks(struct http_server *server)
{
    const struct http_limits *l = &server->limits;
    const unsigned all[] = {l->idle_ms, l->head_ms, l->body_ms, l->write_ms, LINGER_MS};
    unsigned ms = 4000;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ms = all[i] && all[i] < ms ? all[i] : ms;
    ms = ms / 4 ? ms / 4 : 1;
    server->tick_every = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    server->ticks = (struct http_ticks){.idle = in_ticks(l->idle_ms, ms),
                                        .head = in_ticks(l->head_ms, ms),
                                        .body = in_ticks(l->body_ms, ms),
                                        .write = in_ticks(l->write_ms, ms),
                                        .linger = in_ticks(LINGER_MS, ms)};
}

// ---- pipelined requests ----

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *server = arg;
    struct http_conn *conn;
    while ((conn = TAILQ_FIRST(&server->resume)) != NULL) {
        TAILQ_REMOVE(&server->resume, conn, resume_link);
        conn->queued = false;
        conn_resume(conn);
    }
}

void server_queue_resume(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    if (conn->queued)
        return;
    conn->queued = true;
    TAILQ_INSERT_TAIL(&server->resume, conn, resume_link);
    event_active(server->resume_event, EV_TIMEOUT, 0);
}

// ---- life ----

struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
                                    void (*handler)(struct http_exchange *x, void *arg), void *arg)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->base = base;
    server->limits = *limits;
    server->handler = handler;
    server->arg = arg;
    server->date_s = INT64_MIN;
    TAILQ_INIT(&server->conns);
    TAILQ_INIT(&server->resume);
    TAILQ_INIT(&server->live);
    TAILQ_INIT(&server->staged);
    TAILQ_INIT(&server->pool);
    set_ticks(server);
    server->accept_retry = event_new(base, -1, 0, on_accept_retry, server);
    server->tick_event = event_new(base, -1, EV_PERSIST, on_tick, server);
    server->resume_event = event_new(base, -1, 0, on_resume, server);
    if (!server->accept_retry || !server->tick_event || !server->resume_event) {
        http_server_free(server);
        return NULL;
    }
    return server;
}

void http_server_stop(struct http_server *server)
{
    struct http_listener *l;
    struct http_conn *next;
    server->stopping = true;
    server->accepting = false;
    if (server->accept_retry)
        event_del(server->accept_retry);
    while ((l = server->listeners) != NULL) {
        server->listeners = l->next;
        event_del(&l->event);
        close(l->fd);
        free(l);
    }
    for (struct http_conn *conn = TAILQ_FIRST(&server->conns); conn; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (conn->phase == CONN_IDLE && !conn->x)
            conn_close(conn);
        else if (conn->x)
            conn->x->close_after = true;
    }
}

static void free_event(struct event *e)
{
    if (e)
        event_free(e);
}

void http_server_free(struct http_server *server)
{
    struct http_conn *conn;
    struct http_exchange *x;
    if (!server)
        return;
    http_server_stop(server);
    while ((conn = TAILQ_FIRST(&server->conns)) != NULL)
        conn_close(conn);
    while ((x = TAILQ_FIRST(&server->live)) != NULL)
        exchange_free(x);
    while ((x = TAILQ_FIRST(&server->pool)) != NULL) {
        TAILQ_REMOVE(&server->pool, x, link);
        TAILQ_INSERT_HEAD(&server->live, x, link);
        exchange_free(x);
    }
    free_event(server->accept_retry);
    free_event(server->tick_event);
    free_event(server->resume_event);
    free(server);
}

void http_server_flush(struct http_server *server)
{
    struct http_exchange *x;
    while ((x = TAILQ_FIRST(&server->staged)) != NULL) {
        reply_unstage(x);
        if (!x->conn) {
            exchange_recycle(x);
            continue;
        }
        if (reply_finish(x)) {
            conn_send(x->conn);
        } else {
            x->conn->phase = CONN_WRITING;
            conn_close(x->conn);
        }
    }
}

size_t http_server_staged(const struct http_server *server)
{
    return server->n_staged;
}

size_t http_server_connections(const struct http_server *server)
{
    return server->n_conns;
}
