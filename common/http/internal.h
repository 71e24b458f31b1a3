// What server.c, conn.c, exchange.c and reply.c share; nobody else includes this.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "common/base/time_format.h"
#include "common/http/address.h"
#include "common/http/chunked.h"
#include "common/http/server.h"

// One request and its reply. It owns the bytes it was parsed from, so it outlives its connection.
struct http_exchange {
    TAILQ_ENTRY(http_exchange) link;        // in server->live, or in server->pool
    TAILQ_ENTRY(http_exchange) staged_link; // in server->staged while staged
    struct http_server *server;
    struct http_conn *conn; // NULL once the client is gone
    bool dispatched;        // the handler has it
    bool staged;
    bool client_closed;
    bool close_after; // the connection ends with this reply
    void *user;
    void (*on_close)(struct http_exchange *x, void *arg);
    void *on_close_arg;

    // The connection's bytes from the start of this request: head, body (decoded in place), what follows.
    char *in;
    size_t in_len, in_cap;
    size_t in_high; // bytes ever used, all to be wiped
    size_t head_seen;
    size_t head_len;
    size_t body_len; // content found so far
    size_t end;      // where the next request begins
    struct http_chunked chunked;

    struct buf head; // reply: status line and headers
    struct buf body;
    int status;
    size_t sent;

    char peer[HTTP_PEER_MAX];
    struct http_request request;
};

TAILQ_HEAD(exchange_list, http_exchange);

enum conn_phase {
    CONN_IDLE,    // nothing of a request is here
    CONN_HEAD,    // part of a head is
    CONN_BODY,    // the head is complete
    CONN_HANDLED, // the handler has the request, or its reply is staged
    CONN_WRITING, // part of the reply is out
    CONN_LINGER,  // all is said; what the client still sends is dropped until it closes
};

struct http_conn {
    TAILQ_ENTRY(http_conn) link;
    TAILQ_ENTRY(http_conn) resume_link; // in server->resume while queued
    struct http_server *server;
    struct http_exchange *x; // NULL while idle
    int fd;
    enum conn_phase phase;
    bool reading; // the read event is added
    bool eof;     // the client has closed its sending side
    bool queued;  // in server->resume
    bool is_loopback;
    uint64_t deadline; // tick, 0: none
    char peer[HTTP_PEER_MAX];
    struct event read_event;
    struct event write_event;
};

TAILQ_HEAD(conn_list, http_conn);

struct http_listener {
    int fd;
    struct event event;
    struct http_address address;
    struct http_server *server;
    struct http_listener *next;
};

// A limit in ticks.
struct http_ticks {
    uint64_t idle, head, body, write, linger;
};

struct http_server {
    struct event_base *base;
    struct http_limits limits;
    struct http_ticks ticks;
    void (*handler)(struct http_exchange *x, void *arg);
    void *arg;
    struct http_listener *listeners;
    bool accepting; // the listeners' events are added
    bool stopping;
    struct event *accept_retry;
    struct event *tick_event;
    struct timeval tick_every;
    uint64_t tick; // grows while there are connections
    struct event *resume_event;
    struct conn_list conns;
    struct conn_list resume; // connections with bytes of a next request
    size_t n_conns;
    struct exchange_list live; // with a connection or the handler
    struct exchange_list staged;
    size_t n_staged;
    struct exchange_list pool;
    size_t n_pool;
    int64_t date_s;
    char date[TIME_HTTP_SIZE + 8]; // "Date: ...\r\n"
    size_t date_len;
};

// exchange.c: memory of exchanges.
struct http_exchange *exchange_take(struct http_server *server);
void exchange_recycle(struct http_exchange *x);           // back to the pool, wiped
void exchange_free(struct http_exchange *x);              // for good, wiped
bool exchange_room(struct http_exchange *x, size_t want); // grows the input to at least want bytes; may move it
void exchange_next(struct http_exchange *x);              // drops the finished request, keeps what follows
void exchange_client_closed(struct http_exchange *x);     // tells the holder

// conn.c: one connection.
bool conn_open(struct http_server *server, int fd, const struct http_address *peer);
void conn_close(struct http_conn *conn);
void conn_resume(struct http_conn *conn);  // goes on with bytes that are here already
void conn_send(struct http_conn *conn);    // writes the finished reply
void conn_expired(struct http_conn *conn); // its deadline has passed

// reply.c
void reply_refuse(struct http_exchange *x, int status); // stages the server's own reply and closes after it
bool reply_finish(struct http_exchange *x);             // completes the head; false: out of memory
void reply_clear(struct http_exchange *x);              // forgets and wipes
void reply_unstage(struct http_exchange *x);

// server.c
void server_conn_closed(struct http_server *server);
void server_queue_resume(struct http_conn *conn);
