// HTTP/1.1 server of one worker, on that worker's event loop: accepts, reads and limits requests, stages replies.
//
// Nothing here is thread-safe: a server, its exchanges and their replies belong to the thread that runs the base.
// Replies do not leave when they are made. They are staged and leave in http_server_flush(), which the worker calls at
// the end of each turn of its loop, after the journal and the store have what the replies acknowledge:
//
//     while (running) {
//         event_base_loop(base, EVLOOP_ONCE);
//         ... journal, commit; http_reply_discard() and begin again for what could not be kept ...
//         http_server_flush(server);
//     }
#pragma once

#include "common/http/request.h"

struct event_base;
struct http_server;
struct http_exchange;

// Times in milliseconds, 0: no limit. They are kept by a coarse tick (a quarter of the shortest, at most 1 s).
struct http_limits {
    size_t body_max;          // request body in bytes, chunked framing not counted; beyond: 413 and close
    unsigned connections_max; // open connections; further ones wait in the kernel's queue. 0: no limit
    unsigned idle_ms;         // between requests, and before the first
    unsigned head_ms;         // from the first byte of a request to the end of its head; then 408
    unsigned body_ms;         // from the end of the head to the end of the body; then 408
    unsigned write_ms;        // without progress while a reply is written
};

// Generous defaults: 1 MiB bodies, 1024 connections, 60 s idle, 10 s head, 30 s body, 30 s write.
struct http_limits http_limits_default(void);

// The handler is called inside the event loop, once the head and the body of a request are complete. It replies at once
// (http_reply_begin ... http_reply_body) or keeps the exchange and replies later in the same thread. It is never called
// from http_server_flush(), nor while another exchange of the same connection is unanswered.

// ---- server ----

// NULL: out of memory. limits are copied; base and arg must outlive the server.
struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
                                    void (*handler)(struct http_exchange *x, void *arg), void *arg);
// Drops every connection and frees the server. Exchanges still held are told by their on_close callback and are gone
// when this returns. Not to be called from a handler.
void http_server_free(struct http_server *server);

// Enough for an error text of http_server_listen() and for a bound address.
#define HTTP_ERROR_MAX 256
#define HTTP_ADDRESS_MAX 64

// Listens on "127.0.0.1:4599", "[::1]:0", "0.0.0.0:80" or "localhost:4599" (= 127.0.0.1). May be called several times.
// join false: the port must be free, also of other daemons of the same user (the first worker). join true: the port
// was opened by another worker of this process and is shared with it (SO_REUSEPORT). Returns false and a sentence in
// error.
bool http_server_listen(struct http_server *server, const char *address, bool join, char error[HTTP_ERROR_MAX]);
// The i-th listening address as bound ("127.0.0.1:43211"), which the other workers then join. False: no such listener.
bool http_server_address(const struct http_server *server, size_t i, char out[HTTP_ADDRESS_MAX]);

// Closes the listeners and idle connections; requests under way are answered with Connection: close.
void http_server_stop(struct http_server *server);

// Writes every staged reply, one system call a connection; what the socket does not take follows by a write event.
// Exchanges whose reply was staged are invalid afterwards.
void http_server_flush(struct http_server *server);
// Replies staged and not yet flushed, those made by the server itself (400, 408, 413...) included.
size_t http_server_staged(const struct http_server *server);
// Open connections.
size_t http_server_connections(const struct http_server *server);

// ---- one request and its reply ----

// Valid, with all its spans, until the flush after the reply was staged; also when the client goes away meanwhile.
const struct http_request *http_exchange_request(const struct http_exchange *x);
// A slot for the handler's own state, NULL at first.
void http_exchange_set_user(struct http_exchange *x, void *user);
void *http_exchange_user(const struct http_exchange *x);
// For exchanges that are held: cb is called at most once, when the client has closed its sending side or the connection
// broke. The exchange must still be replied to, now or later; a client that only half-closed gets the reply, one that
// is gone does not and nothing is reported. Called at once from the event loop, never from this function: ask
// http_exchange_client_closed() first. NULL removes the callback.
void http_exchange_on_close(struct http_exchange *x, void (*cb)(struct http_exchange *x, void *arg), void *arg);
bool http_exchange_client_closed(const struct http_exchange *x);

// ---- reply (reply.c) ----

// Begins a reply (status 200..599); what was begun or staged before on this exchange is forgotten.
void http_reply_begin(struct http_exchange *x, int status);
// Adds a header. Date (of the real clock), Content-Length and Connection are the server's. A value with CR, LF or NUL
// is cut off there.
void http_reply_header(struct http_exchange *x, const char *name, struct span value);
// Copies the body (may be empty; it is not sent for HEAD, 204 and 304) and stages the reply: the last call of a reply.
// The copy is wiped after it was sent. If memory runs out the client gets its connection closed.
void http_reply_body(struct http_exchange *x, struct span body);
// Takes a staged reply back. The exchange is then held, as if never replied to; begin again.
void http_reply_discard(struct http_exchange *x);
// Stages the end of the connection, without a reply.
void http_reply_cut(struct http_exchange *x);
bool http_exchange_staged(const struct http_exchange *x);
