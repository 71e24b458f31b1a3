// What client.c (calls) and client_conn.c (their connections) share; nobody else includes it.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "common/http/client.h"
#include "common/http/lookup.h"
#include "common/http/peer.h"
#include "common/http/reply_reader.h"
#include "common/http/tls.h"

struct client_conn {
    TAILQ_ENTRY(client_conn) link; // in client->idle or client->busy
    struct http_client *client;
    struct http_client_call *call; // NULL: idle
    int fd;
    struct tls_stream *tls; // NULL: plain, or not connected yet
    bool connected;         // the handshake of TLS included
    bool used;              // carried a call before
    struct event read_event;
    struct event write_event;
};

struct http_client_call {
    TAILQ_ENTRY(http_client_call) link; // in client->waiting (no connection yet) or client->running
    struct http_client *client;
    struct client_conn *conn;
    struct buf request;
    size_t sent;
    bool retried;
    bool answered;                    // a byte of the reply came
    enum http_client_failure failure; // to be reported from the loop
    struct event timer;
    struct reply_reader reader;
    void (*cb)(void *arg, const struct http_client_reply *reply, enum http_client_failure failure);
    void *arg;
};

TAILQ_HEAD(client_conns, client_conn);
TAILQ_HEAD(client_calls, http_client_call);

struct http_client {
    struct event_base *base;
    struct http_client_limits limits;
    struct peer peer;
    struct http_tls *tls;  // NULL: plain
    struct lookup *lookup; // of the peer's name, while it lasts
    struct client_conns idle, busy;
    size_t n_idle, n_conns;
    struct client_calls waiting, running;
    struct event *kick; // looks after the waiting calls
};

// ---- client_conn.c ----

// A new connection on its way, among the idle ones; NULL if that fails at once.
struct client_conn *client_conn_new(struct http_client *client);
void client_conn_free(struct client_conn *conn); // an idle one
// Sends what its call has to send, as far as the socket takes it; the rest follows by itself.
void client_conn_write(struct client_conn *conn);

// ---- client.c ----

// The end of a call. Only from the loop: the caller's code runs here, and may begin or cancel other calls.
void client_call_finish(struct http_client_call *call, enum http_client_failure failure);
// Its connection broke.
void client_conn_lost(struct client_conn *conn, enum http_client_failure failure);
// Looks after the waiting calls, soon.
void client_kick(struct http_client *client);
