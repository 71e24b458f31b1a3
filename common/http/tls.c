// The client's side of TLS. Called by client.c for peers of https URLs; sockets, events and time limits are its own.
#include "common/http/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct http_tls {
    SSL_CTX *context;
    pthread_mutex_t lock; // guards the next
    bool wants_system;    // the system's certificates are to be read
};

struct tls_stream {
    SSL *ssl;
};

static bool set_up(SSL_CTX *c, const char *ca_file)
{
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    // Replies hold what was decrypted: the library's own copy is wiped once it was read.
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
    // What is left of a buffer is sent by a later call, from the same bytes.
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) && (!ca_file || SSL_CTX_load_verify_file(c, ca_file));
}

struct http_tls *http_tls_new(const char *ca_file, char *why, size_t why_size)
{
    struct http_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        abort();
    pthread_mutex_init(&tls->lock, NULL);
    tls->wants_system = !ca_file;
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context && set_up(tls->context, ca_file))
        return tls;
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    snprintf(why, why_size, "%s%s cannot be used: %s", ca_file ? "the certificates of " : "TLS", ca_file ? ca_file : "",
             reason ? reason : "none can be read");
    http_tls_free(tls);
    return NULL;
}

void http_tls_free(struct http_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

// Not before the first connection: there are some 140 of them, whose reading takes 20 ms and 2 MiB, and most daemons
// never connect to anybody. Without any, no peer is believed.
static void read_system_certificates(struct http_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    if (tls->wants_system && SSL_CTX_set_default_verify_paths(tls->context))
        tls->wants_system = false;
    ERR_clear_error();
    pthread_mutex_unlock(&tls->lock);
}

struct tls_stream *tls_stream_new(struct http_tls *tls, int fd, const char *name)
{
    struct tls_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    read_system_certificates(tls);
    s->ssl = SSL_new(tls->context);
    if (s->ssl && SSL_set_fd(s->ssl, fd) && SSL_set1_host(s->ssl, name) && SSL_set_tlsext_host_name(s->ssl, name)) {
        SSL_set_hostflags(s->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set_connect_state(s->ssl);
        return s;
    }
    tls_stream_free(s);
    return NULL;
}

// The other side is told that this is the end, if the socket takes it at once.
void tls_stream_free(struct tls_stream *s)
{
    if (!s)
        return;
    ERR_clear_error();
    if (s->ssl && SSL_is_init_finished(s->ssl))
        SSL_shutdown(s->ssl);
    ERR_clear_error();
    SSL_free(s->ssl);
    free(s);
}

enum tls_step tls_handshake(struct tls_stream *s)
{
    ERR_clear_error();
    int result = SSL_do_handshake(s->ssl);
    if (result == 1)
        return TLS_DONE;
    int error = SSL_get_error(s->ssl, result);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ ? TLS_WANT_READ : error == SSL_ERROR_WANT_WRITE ? TLS_WANT_WRITE : TLS_FAILED;
}

static ssize_t outcome(struct tls_stream *s, int result)
{
    if (result > 0)
        return result;
    int error = SSL_get_error(s->ssl, result);
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t tls_recv(struct tls_stream *s, void *to, size_t n)
{
    ERR_clear_error();
    return outcome(s, SSL_read(s->ssl, to, n > INT_MAX ? INT_MAX : (int)n));
}

ssize_t tls_send(struct tls_stream *s, const void *bytes, size_t n)
{
    ERR_clear_error();
    return outcome(s, SSL_write(s->ssl, bytes, n > INT_MAX ? INT_MAX : (int)n));
}

bool tls_pending(const struct tls_stream *s)
{
    return SSL_pending(s->ssl) > 0;
}
