// One connection: reads requests within the limits, hands them to the handler, writes replies, ends cleanly. Called by
// server.c (accept, flush, tick); its events are persistent, so that a request costs no change of the epoll set.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/http/internal.h"

#define READ_MAX (64 * 1024)   // bytes taken from one connection in one turn
#define SLACK 1024             // room behind a request, for what follows it and to notice a close
#define CHUNK_ROOM (16 * 1024) // room for chunks not decoded yet

static void set_deadline(struct http_conn *conn, uint64_t ticks)
{
    conn->deadline = ticks ? conn->server->tick + ticks : 0;
}

static void set_reading(struct http_conn *conn, bool on)
{
    if (conn->reading == on)
        return;
    conn->reading = on;
    if (on)
        event_add(&conn->read_event, NULL);
    else
        event_del(&conn->read_event);
}

void conn_close(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    struct http_exchange *x = conn->x;
    set_reading(conn, false);
    event_del(&conn->write_event);
    close(conn->fd);
    TAILQ_REMOVE(&server->conns, conn, link);
    if (conn->queued)
        TAILQ_REMOVE(&server->resume, conn, resume_link);
    if (x) {
        x->conn = NULL;
        if (conn->phase == CONN_HANDLED)
            exchange_client_closed(x); // the holder has it; flush drops it once a reply is staged
        else
            exchange_recycle(x);
    }
    free(conn);
    server_conn_closed(server);
}

// ---- reading ----

static void refuse(struct http_conn *conn, int status)
{
    struct http_request *r = &conn->x->request;
    conn->phase = CONN_HANDLED;
    set_deadline(conn, 0);
    r->method = r->target = r->version = (struct span){0}; // may not be there, or not where they were
    reply_refuse(conn->x, status);
}

static void dispatch(struct http_conn *conn)
{
    struct http_exchange *x = conn->x;
    struct http_request *r = &x->request;
    if (r->method.p < x->in || r->method.p >= x->in + x->in_cap) {
        // The bytes have moved since the head was parsed.
        size_t consumed;
        int status;
        http_parse_head((struct span){x->in, x->head_len}, r, &consumed, &status);
    }
    r->body = (struct span){x->in + x->head_len, x->body_len};
    memcpy(x->peer, conn->peer, sizeof x->peer);
    r->peer = span_of(x->peer);
    r->peer_is_loopback = conn->is_loopback;
    x->close_after = !r->framing.keep_alive || conn->server->stopping;
    x->dispatched = true;
    conn->phase = CONN_HANDLED;
    set_deadline(conn, 0);
    conn->server->handler(x, conn->server->arg);
}

// The socket's buffer is empty here: every former reply is out. A client that does not get it sends after a while
// anyway (RFC 9110 10.1.1).
static void send_continue(struct http_conn *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ssize_t n = send(conn->fd, text, sizeof text - 1, MSG_NOSIGNAL);
    (void)n;
}

// Each of these returns whether the phase changed: false means that more bytes are needed, or that the request is in
// other hands.
static bool advance_head(struct http_conn *conn)
{
    struct http_exchange *x = conn->x;
    struct http_framing *f = &x->request.framing;
    size_t consumed = 0;
    int status = 0;
    enum http_parse r = HTTP_PARSE_OK;
    if (conn->phase == CONN_HEAD) { // not the first look: the cheap one
        r = http_head_complete((struct span){x->in, x->in_len}, &x->head_seen);
        status = 400;
    }
    if (r == HTTP_PARSE_OK)
        r = http_parse_head((struct span){x->in, x->in_len}, &x->request, &consumed, &status);
    if (r == HTTP_PARSE_MORE && conn->phase == CONN_IDLE) {
        conn->phase = CONN_HEAD;
        set_deadline(conn, conn->server->ticks.head);
    }
    if (consumed > HTTP_HEAD_MAX || (r != HTTP_PARSE_OK && x->in_len > HTTP_HEAD_MAX))
        refuse(conn, 431);
    else if (r == HTTP_PARSE_BAD)
        refuse(conn, status);
    else if (r == HTTP_PARSE_OK && f->content_length > 0 && (uint64_t)f->content_length > conn->server->limits.body_max)
        refuse(conn, 413);
    if (r == HTTP_PARSE_MORE || conn->phase == CONN_HANDLED)
        return false;
    x->head_len = consumed;
    x->body_len = 0;
    http_chunked_init(&x->chunked, conn->server->limits.body_max);
    conn->phase = CONN_BODY;
    set_deadline(conn, conn->server->ticks.body);
    return true;
}

// Decodes what came, in place behind the content found so far.
static enum http_parse advance_chunked(struct http_exchange *x)
{
    size_t at = x->head_len + x->body_len, consumed, produced;
    enum http_parse r = http_chunked_decode(&x->chunked, x->in + at, x->in_len - at, &consumed, &produced);
    x->body_len += produced;
    if (r == HTTP_PARSE_MORE)
        x->in_len = x->head_len + x->body_len;
    x->end = at + consumed;
    return r;
}

static void advance_body(struct http_conn *conn)
{
    struct http_exchange *x = conn->x;
    struct http_framing *f = &x->request.framing;
    enum http_parse r = HTTP_PARSE_MORE;
    if (f->expect_continue && x->in_len == x->head_len && (f->chunked || f->content_length > 0))
        send_continue(conn);
    f->expect_continue = false;
    if (f->chunked) {
        r = advance_chunked(x);
    } else {
        size_t length = f->content_length > 0 ? (size_t)f->content_length : 0;
        x->end = x->head_len + length;
        if (x->in_len >= x->end) {
            x->body_len = length;
            r = HTTP_PARSE_OK;
        }
    }
    if (r == HTTP_PARSE_OK)
        dispatch(conn);
    else if (r == HTTP_PARSE_BAD)
        refuse(conn, x->chunked.too_large ? 413 : 400);
}

// Goes on as far as the bytes reach. The connection may be gone afterwards.
static void advance(struct http_conn *conn)
{
    if (conn->phase <= CONN_HEAD && !advance_head(conn))
        goto out;
    if (conn->phase == CONN_BODY)
        advance_body(conn);
out:
    if (conn->phase >= CONN_HANDLED)
        return;
    if (conn->eof)
        conn_close(conn); // what is missing will not come
    else
        set_reading(conn, true);
}

static bool take_exchange(struct http_conn *conn)
{
    if (!conn->x) {
        conn->x = exchange_take(conn->server);
        if (conn->x)
            conn->x->conn = conn;
    }
    return conn->x != NULL;
}

// How large the input may have to be for the part being read.
static size_t room_wanted(const struct http_conn *conn)
{
    const struct http_exchange *x = conn->x;
    size_t more = x->in_len + SLACK, ceiling = HTTP_HEAD_MAX + SLACK;
    if (conn->phase == CONN_BODY && x->request.framing.chunked)
        more = x->in_len + CHUNK_ROOM, ceiling = x->head_len + conn->server->limits.body_max + CHUNK_ROOM;
    else if (conn->phase == CONN_BODY)
        ceiling = x->end + SLACK;
    if (more <= x->in_cap)
        return x->in_cap;
    size_t doubled = x->in_cap * 4;
    more = more > doubled ? more : doubled;
    return more < ceiling ? more : ceiling;
}

static void on_eof(struct http_conn *conn)
{
    conn->eof = true;
    set_reading(conn, false);
    if (conn->phase == CONN_LINGER || (conn->phase < CONN_HANDLED && !conn->queued))
        conn_close(conn);
    else if (conn->x && conn->x->dispatched)
        exchange_client_closed(conn->x);
}

static void drain(struct http_conn *conn)
{
    char dropped[16 * 1024];
    ssize_t n = recv(conn->fd, dropped, sizeof dropped, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        conn_close(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct http_conn *conn = arg;
    if (conn->phase == CONN_LINGER) {
        drain(conn);
        return;
    }
    if (!take_exchange(conn)) {
        conn_close(conn);
        return;
    }
    struct http_exchange *x = conn->x;
    // While somebody reads the spans of a request the bytes must not move: what does not fit stays in the socket.
    if (conn->phase < CONN_HANDLED && !exchange_room(x, room_wanted(conn))) {
        conn_close(conn);
        return;
    }
    size_t room = x->in_cap - x->in_len;
    if (room == 0) {
        set_reading(conn, false);
        return;
    }
    ssize_t n = recv(fd, x->in + x->in_len, room < READ_MAX ? room : READ_MAX, 0);
    if (n == 0) {
        on_eof(conn);
        return;
    }
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_close(conn);
        return;
    }
    x->in_len += (size_t)n;
    x->in_high = x->in_len > x->in_high ? x->in_len : x->in_high;
    if (conn->phase < CONN_HANDLED)
        advance(conn);
}

void conn_resume(struct http_conn *conn)
{
    if (conn->phase < CONN_HANDLED && conn->x)
        advance(conn);
}

// ---- writing ----

// Ends a connection on which all is said. Closing at once would make the kernel reset it when the client is still
// sending, and the reset can overtake the reply (RFC 9112 9.6).
static void finish(struct http_conn *conn)
{
    if (conn->eof || shutdown(conn->fd, SHUT_WR) != 0) {
        conn_close(conn);
        return;
    }
    conn->phase = CONN_LINGER;
    set_deadline(conn, conn->server->ticks.linger);
    set_reading(conn, true);
}

static void sent(struct http_conn *conn)
{
    struct http_exchange *x = conn->x;
    if (x->close_after) {
        conn->x = NULL;
        exchange_recycle(x);
        finish(conn);
        return;
    }
    bool more = x->in_len > x->end;
    conn->phase = CONN_IDLE;
    set_deadline(conn, conn->server->ticks.idle);
    if (more) {
        exchange_next(x);
        server_queue_resume(conn);
    } else {
        conn->x = NULL;
        exchange_recycle(x);
        if (conn->eof) {
            conn_close(conn);
            return;
        }
    }
    if (!conn->eof)
        set_reading(conn, true);
}

static ssize_t write_some(struct http_conn *conn)
{
    struct http_exchange *x = conn->x;
    if (x->body.len == 0)
        return send(conn->fd, x->head.data + x->sent, x->head.len - x->sent, MSG_NOSIGNAL);
    struct iovec parts[2];
    int n = 0;
    if (x->sent < x->head.len)
        parts[n++] = (struct iovec){x->head.data + x->sent, x->head.len - x->sent};
    size_t done = x->sent > x->head.len ? x->sent - x->head.len : 0;
    parts[n++] = (struct iovec){x->body.data + done, x->body.len - done};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)n};
    return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

void conn_send(struct http_conn *conn)
{
    struct http_exchange *x = conn->x;
    ssize_t n = write_some(conn);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn->phase = CONN_WRITING; // not the handler's any more
        conn_close(conn);
        return;
    }
    x->sent += n > 0 ? (size_t)n : 0;
    if (x->sent == x->head.len + x->body.len) {
        if (conn->phase == CONN_WRITING)
            event_del(&conn->write_event);
        sent(conn);
        return;
    }
    if (conn->phase != CONN_WRITING) {
        conn->phase = CONN_WRITING;
        event_add(&conn->write_event, NULL);
        set_deadline(conn, conn->server->ticks.write);
    } else if (n > 0) {
        set_deadline(conn, conn->server->ticks.write);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    conn_send(arg);
}

void conn_expired(struct http_conn *conn)
{
    conn->deadline = 0;
    if ((conn->phase == CONN_HEAD || conn->phase == CONN_BODY) && conn->x->in_len)
        refuse(conn, 408);
    else
        conn_close(conn);
}

bool conn_open(struct http_server *server, int fd, const struct http_address *peer)
{
    struct http_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return false;
    conn->server = server;
    conn->fd = fd;
    http_address_host(peer, conn->peer);
    conn->is_loopback = http_address_is_loopback(peer);
    event_assign(&conn->read_event, server->base, fd, EV_READ | EV_PERSIST, on_readable, conn);
    event_assign(&conn->write_event, server->base, fd, EV_WRITE | EV_PERSIST, on_writable, conn);
    TAILQ_INSERT_TAIL(&server->conns, conn, link);
    set_deadline(conn, server->ticks.idle);
    set_reading(conn, true);
    return true;
}
