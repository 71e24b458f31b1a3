// One connection of the HTTP client: connecting, TLS, reading, writing. Called by client.c, which owns the calls and
// decides what a failure means for them.
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/client_internal.h"

#define READ_MAX (64 * 1024)

static void conn_shake(struct client_conn *conn);

// Closes an idle connection.
void client_conn_free(struct client_conn *conn)
{
    struct http_client *client = conn->client;
    TAILQ_REMOVE(&client->idle, conn, link);
    client->n_idle--;
    client->n_conns--;
    event_del(&conn->read_event);
    event_del(&conn->write_event);
    tls_stream_free(conn->tls);
    close(conn->fd);
    free(conn);
    client_kick(client);
}

// ---- reading ----

static ssize_t conn_recv(struct client_conn *conn, char *to, size_t n)
{
    return conn->tls ? tls_recv(conn->tls, to, n) : recv(conn->fd, to, n, 0);
}

// Takes what has come. False when that ended the call.
static bool conn_read(struct client_conn *conn)
{
    struct http_client_call *call = conn->call;
    size_t room;
    char *to = reply_reader_room(&call->reader, &room);
    if (!to) {
        client_call_finish(call, HTTP_CLIENT_NO_MEMORY);
        return false;
    }
    ssize_t n = conn_recv(conn, to, room < READ_MAX ? room : READ_MAX);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n == 0 && reply_reader_closed(&call->reader)) {
        client_call_finish(call, HTTP_CLIENT_OK);
        return false;
    }
    if (n <= 0) {
        client_conn_lost(conn, HTTP_CLIENT_CLOSED);
        return false;
    }
    enum http_client_failure failure = HTTP_CLIENT_OK;
    call->answered = true;
    if (reply_reader_got(&call->reader, (size_t)n, &failure) == HTTP_PARSE_MORE)
        return true;
    client_call_finish(call, failure);
    return false;
}

// Nobody asked: the peer has closed, or talks out of turn; but TLS has messages of its own.
static void idle_read(struct client_conn *conn)
{
    char c;
    if (!conn->tls || conn_recv(conn, &c, 1) >= 0 || errno != EAGAIN)
        client_conn_free(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct client_conn *conn = arg;
    if (!conn->connected)
        conn_shake(conn);
    else if (!conn->call)
        idle_read(conn);
    else
        while (conn_read(conn) && conn->tls && tls_pending(conn->tls))
            ;
}

// ---- writing ----

static void conn_shake(struct client_conn *conn)
{
    enum tls_step step = conn->tls ? tls_handshake(conn->tls) : TLS_DONE;
    if (step == TLS_FAILED) {
        client_conn_lost(conn, HTTP_CLIENT_TLS);
        return;
    }
    conn->connected = step == TLS_DONE;
    if (conn->connected)
        client_conn_write(conn);
    else if (step == TLS_WANT_WRITE)
        event_add(&conn->write_event, NULL);
    else
        event_del(&conn->write_event);
}

// The socket is connected, or is not going to be.
static void conn_open(struct client_conn *conn)
{
    struct http_client *client = conn->client;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error) {
        client_conn_lost(conn, HTTP_CLIENT_CONNECT);
        return;
    }
    if (client->tls && !(conn->tls = tls_stream_new(client->tls, conn->fd, client->peer.name))) {
        client_conn_lost(conn, HTTP_CLIENT_NO_MEMORY);
        return;
    }
    event_add(&conn->read_event, NULL);
    conn_shake(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct client_conn *conn = arg;
    if (conn->connected)
        client_conn_write(conn);
    else if (conn->tls)
        conn_shake(conn);
    else
        conn_open(conn);
}

// A failed write is not yet the end: the peer may have answered before it closed. The read event tells.
void client_conn_write(struct client_conn *conn)
{
    struct http_client_call *call = conn->call;
    const char *from = call->request.data + call->sent;
    size_t left = call->request.len - call->sent;
    ssize_t n = conn->tls ? tls_send(conn->tls, from, left) : send(conn->fd, from, left, MSG_NOSIGNAL);
    bool broken = n < 0 && errno != EAGAIN && errno != EINTR;
    call->sent += n > 0 ? (size_t)n : 0;
    if (call->sent < call->request.len && !broken)
        event_add(&conn->write_event, NULL);
    else
        event_del(&conn->write_event);
}

// ---- new ones ----

// A new connection on its way, among the idle ones; NULL if that fails at once.
struct client_conn *client_conn_new(struct http_client *client)
{
    static const int on = 1;
    struct client_conn *conn = peer_resolve(&client->peer) ? calloc(1, sizeof *conn) : NULL;
    if (!conn)
        return NULL;
    conn->client = client;
    conn->fd = socket(client->peer.address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        free(conn);
        return NULL;
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(conn->fd, (struct sockaddr *)&client->peer.address.sa, client->peer.address.len) != 0 &&
        errno != EINPROGRESS) {
        peer_failed(&client->peer);
        close(conn->fd);
        free(conn);
        return NULL;
    }
    event_assign(&conn->read_event, client->base, conn->fd, EV_READ | EV_PERSIST, on_readable, conn);
    event_assign(&conn->write_event, client->base, conn->fd, EV_WRITE | EV_PERSIST, on_writable, conn);
    TAILQ_INSERT_HEAD(&client->idle, conn, link);
    client->n_idle++;
    client->n_conns++;
    return conn;
}
