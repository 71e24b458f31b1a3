// TLS of the client's connections, by OpenSSL on the connection's own socket. The peer's certificate and name are
// always verified (RFC 9525); TLS 1.2 is the least. For client.c; who makes clients makes the context.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Whom to trust. Any thread may use it.
struct http_tls;

// ca_file: PEM certificates that are trusted instead of the system's; NULL: the system's, which are read with the first
// connection. NULL with a reason that names the file.
struct http_tls *http_tls_new(const char *ca_file, char *why, size_t why_size);
void http_tls_free(struct http_tls *tls); // its streams must have ended

enum tls_step { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_FAILED };

// One connection's. fd is non-blocking, connected, and stays the caller's; name is what the certificate must be for.
// NULL: out of memory.
struct tls_stream *tls_stream_new(struct http_tls *tls, int fd, const char *name);
void tls_stream_free(struct tls_stream *s);
// To be called until it is done or failed, whenever the socket is ready for what it wants.
enum tls_step tls_handshake(struct tls_stream *s);
// As recv() and send() on a non-blocking socket. An end without TLS's own is an error (ECONNRESET), not an end.
ssize_t tls_recv(struct tls_stream *s, void *to, size_t n);
ssize_t tls_send(struct tls_stream *s, const void *bytes, size_t n);
// Bytes have been taken from the socket that tls_recv() has not given yet.
bool tls_pending(const struct tls_stream *s);
