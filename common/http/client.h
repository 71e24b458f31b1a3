// Asynchronous HTTP/1.1 client for one peer, on one event loop: how ddbd reaches kmsd, and kmsd the
// proxies of external key stores (over TLS).
//
// Keeps a pool of idle connections. A call is tried once more only when it went out on a pooled connection that the
// peer closed before any byte of the reply (the race of every keep-alive, RFC 9112 9.3.1). Not thread-safe: a client
// belongs to the thread that runs its base. Request and reply bytes are wiped when a call is over.
#pragma once

#include "common/http/request.h"

struct event_base;
struct http_tls; // tls.h
struct http_client;
struct http_client_call;

#define HTTP_CLIENT_ERROR_MAX 256

struct http_client_limits {
    size_t reply_max;         // bytes of a reply, head and body
    unsigned connections_max; // further calls wait for a connection. 0: no limit
    unsigned idle_max;        // idle connections kept
};

struct http_client_limits http_client_limits_default(void); // 8 MiB, 256, 16

struct http_client_reply {
    int status;
    const struct http_headers *headers;
    struct span body; // chunked framing removed
};

// Why a call has no reply.
enum http_client_failure {
    HTTP_CLIENT_OK,
    HTTP_CLIENT_TLS,       // no TLS connection: protocol, certificate or name
    HTTP_CLIENT_CONNECT,   // name not resolved, connection refused or broken off before the request was out
    HTTP_CLIENT_TIMEOUT,   // timeout_ms passed
    HTTP_CLIENT_CLOSED,    // connection lost before the reply was complete
    HTTP_CLIENT_MALFORMED, // not an HTTP reply
    HTTP_CLIENT_TOO_LARGE, // over reply_max
    HTTP_CLIENT_NO_MEMORY,
};
const char *http_client_failure_text(enum http_client_failure failure); // "timed out", ...

// url: "http://127.0.0.1:4599", "http://[::1]:80", "http://name:port" with nothing behind but '/'. A name is resolved
// (blocking) when a connection is needed, and anew after one failed. NULL and a sentence in error for a url that cannot
// be used. The base must outlive the client.
struct http_client *http_client_new(struct event_base *base, const char *url, const struct http_client_limits *limits,
                                    char error[HTTP_CLIENT_ERROR_MAX]);
// The same for "https://name" or "https://name:port". tls must outlive the client. connect_to, when not NULL, is the
// address that connections go to ("127.0.0.1:8443") instead of the name's, which the certificate must still be for. A
// name is resolved (by DNS and the hosts file) without blocking.
struct http_client *http_client_new_tls(struct event_base *base, const char *url,
                                        const struct http_client_limits *limits, struct http_tls *tls,
                                        const char *connect_to, char error[HTTP_CLIENT_ERROR_MAX]);
// Cancels all calls (their callbacks are not called), closes all connections. Not to be called from a callback.
void http_client_free(struct http_client *client);
// What the Host header says ("127.0.0.1:4599", "kmsd" for port 80): needed for signing.
const char *http_client_host(const struct http_client *client);

// Sends a request; everything given is copied. Host and Content-Length are added (Host unless it is among headers).
// timeout_ms covers waiting, connecting, sending and the whole reply; 0: none (long polls). cb is called once from the
// event loop, never from this function: with a reply that is valid during the callback only, or NULL and the reason.
// The handle is valid until then. NULL: out of memory, or a header or target with a line break; cb is not called.
struct http_client_call *
http_client_call(struct http_client *client, const char *method, struct span target, const struct http_header *headers,
                 size_t n, struct span body, unsigned timeout_ms,
                 void (*cb)(void *arg, const struct http_client_reply *reply, enum http_client_failure failure),
                 void *arg);
// Ends a call without its callback; its connection is closed.
void http_client_cancel(struct http_client_call *call);
