// The client's TLS against a server of OpenSSL's own, in a thread: what is trusted, what is not, and what breaks off.
#include "tests/unit/common/http_harness.h"

#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/address.h"
#include "common/http/tls.h"

#define BIG (200 * 1000)

// ---- the server ----

enum manner { ANSWERS, ENDS_RUDELY, OLD_TLS, NO_TLS };

struct tls_server {
    enum manner manner;
    int fd;
    char address[HTTP_ADDRESS_MAX];
    char ca_file[64];
    SSL_CTX *context;
    pthread_t thread;
    int connections;
};

static X509 *certificate(EVP_PKEY *key, const char *name)
{
    X509 *c = X509_new();
    char names[128];
    snprintf(names, sizeof names, "DNS:%s", name);
    ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
    X509_gmtime_adj(X509_getm_notBefore(c), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600);
    X509_set_version(c, 2);
    X509_set_pubkey(c, key);
    X509_NAME *subject = X509_get_subject_name(c);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(c, subject);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_add_ext(c, e, -1);
    X509_EXTENSION_free(e);
    assert_true(X509_sign(c, key, EVP_sha256()) > 0);
    return c;
}

static void answer(SSL *ssl)
{
    static char body[BIG];
    char in[4096], head[128];
    size_t got = 0;
    memset(body, 'x', sizeof body);
    for (;;) {
        int n = SSL_read(ssl, in + got, (int)(sizeof in - got - 1));
        if (n <= 0)
            return;
        got += (size_t)n;
        in[got] = '\0';
        if (!strstr(in, "\r\n\r\n{}"))
            continue;
        size_t size = strstr(in, "/big") ? BIG : 5;
        int head_n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
        SSL_write(ssl, head, head_n);
        SSL_write(ssl, body, (int)size);
        got = 0;
    }
}

static void *serve(void *arg)
{
    struct tls_server *s = arg;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        SSL *ssl = SSL_new(s->context);
        s->connections++;
        SSL_set_fd(ssl, fd);
        if (s->manner == NO_TLS)
            send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL);
        else if (SSL_accept(ssl) == 1 && s->manner == ANSWERS)
            answer(ssl);
        else if (s->manner == ENDS_RUDELY && SSL_is_init_finished(ssl))
            SSL_write(ssl, "HTTP/1.1 200 OK\r\n\r\nhalf a bo", 28); // until the end, which does not come
        SSL_free(ssl);
        close(fd);
    }
    return NULL;
}

static void server_begin(struct tls_server *s, enum manner manner, const char *name)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *c = certificate(key, name);
    struct http_address any, bound = {.len = sizeof bound.sa};
    *s = (struct tls_server){.manner = manner, .context = SSL_CTX_new(TLS_server_method())};
    SSL_CTX_use_certificate(s->context, c);
    SSL_CTX_use_PrivateKey(s->context, key);
    if (manner == OLD_TLS) {
        SSL_CTX_set_security_level(s->context, 0);
        SSL_CTX_set_min_proto_version(s->context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(s->context, TLS1_1_VERSION);
    }
    snprintf(s->ca_file, sizeof s->ca_file, "%s/tls.XXXXXX", P_tmpdir);
    FILE *file = fdopen(mkstemp(s->ca_file), "w");
    PEM_write_X509(file, c);
    fclose(file);
    X509_free(c);
    EVP_PKEY_free(key);
    assert_true(http_address_parse("127.0.0.1:0", &any));
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&any.sa, any.len), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    getsockname(s->fd, (struct sockaddr *)&bound.sa, &bound.len);
    http_address_format(&bound, s->address, sizeof s->address);
    pthread_create(&s->thread, NULL, serve, s);
}

static void server_end(struct tls_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    SSL_CTX_free(s->context);
    unlink(s->ca_file);
}

// ---- the client ----

struct outcome {
    int calls;
    enum http_client_failure failure;
    size_t body_n;
};

static void on_reply(void *arg, const struct http_client_reply *reply, enum http_client_failure failure)
{
    struct outcome *o = arg;
    o->calls++;
    o->failure = failure;
    o->body_n = reply ? reply->body.n : 0;
}

static struct outcome ask(struct rig *rig, struct http_client *client, const char *target)
{
    struct outcome o = {0};
    assert_non_null(http_client_call(client, "POST", span_of(target), NULL, 0, SPAN("{}"), 10000, on_reply, &o));
    RIG_UNTIL(rig, o.calls == 1);
    return o;
}

struct house {
    struct tls_server server;
    struct rig rig;
    struct http_tls *tls;
    struct http_client *client;
};

static void house_begin(struct house *h, enum manner manner, const char *certified, bool trusted)
{
    char why[256], error[HTTP_CLIENT_ERROR_MAX];
    struct http_client_limits limits = http_client_limits_default();
    server_begin(&h->server, manner, certified);
    rig_begin(&h->rig, NULL);
    h->tls = http_tls_new(trusted ? h->server.ca_file : NULL, why, sizeof why);
    assert_non_null(h->tls);
    h->client =
        http_client_new_tls(h->rig.base, "https://proxy.example.com", &limits, h->tls, h->server.address, error);
    assert_non_null(h->client);
}

static void house_end(struct house *h)
{
    http_client_free(h->client);
    http_tls_free(h->tls);
    rig_end(&h->rig);
    server_end(&h->server);
}

static void test_answers_come_over_one_connection(void **state)
{
    (void)state;
    struct house h;
    house_begin(&h, ANSWERS, "*.example.com", true);
    assert_string_equal(http_client_host(h.client), "proxy.example.com");
    for (int i = 0; i < 3; i++) {
        struct outcome o = ask(&h.rig, h.client, i == 1 ? "/big" : "/small");
        assert_int_equal(o.failure, HTTP_CLIENT_OK);
        assert_int_equal(o.body_n, i == 1 ? BIG : 5);
    }
    assert_int_equal(h.server.connections, 1);
    house_end(&h);
}

static void refused(enum manner manner, const char *certified, bool trusted, enum http_client_failure failure)
{
    struct house h;
    house_begin(&h, manner, certified, trusted);
    assert_int_equal(ask(&h.rig, h.client, "/small").failure, failure);
    assert_int_equal(ask(&h.rig, h.client, "/small").failure, failure); // and nothing is kept of it
    house_end(&h);
}

static void test_who_cannot_be_trusted_is_not_asked(void **state)
{
    (void)state;
    refused(ANSWERS, "other.example.com", true, HTTP_CLIENT_TLS);
    refused(ANSWERS, "proxy.example.com", false, HTTP_CLIENT_TLS);
    refused(OLD_TLS, "proxy.example.com", true, HTTP_CLIENT_TLS);
    refused(NO_TLS, "proxy.example.com", true, HTTP_CLIENT_TLS);
}

static void test_an_end_that_tls_does_not_tell_is_no_end(void **state)
{
    (void)state;
    refused(ENDS_RUDELY, "proxy.example.com", true, HTTP_CLIENT_CLOSED);
}

static void test_names(void **state)
{
    (void)state;
    char why[256] = "", error[HTTP_CLIENT_ERROR_MAX] = "";
    struct http_client_limits limits = http_client_limits_default();
    struct rig rig;
    rig_begin(&rig, NULL);
    assert_null(http_tls_new("/nowhere/ca.pem", why, sizeof why));
    assert_non_null(strstr(why, "/nowhere/ca.pem"));
    struct http_tls *tls = http_tls_new(NULL, why, sizeof why);
    assert_null(http_client_new_tls(rig.base, "http://name", &limits, tls, NULL, error));
    assert_string_equal(error, "http://name is not of the form https://host:port");
    assert_null(http_client_new(rig.base, "https://name", &limits, error));
    assert_string_equal(error, "https://name is not of the form http://host:port");
    assert_null(http_client_new_tls(rig.base, "https://name", &limits, tls, "nobody", error));
    assert_string_equal(error, "nobody is not of the form address:port");
    // Nobody listens there, but the name is found (in the hosts file), without blocking.
    struct http_client *client = http_client_new_tls(rig.base, "https://localhost:1", &limits, tls, NULL, error);
    assert_int_equal(ask(&rig, client, "/").failure, HTTP_CLIENT_CONNECT);
    http_client_free(client);
    http_tls_free(tls);
    rig_turn(&rig);
    rig_end(&rig);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); // as the daemons do
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_come_over_one_connection),
        cmocka_unit_test(test_who_cannot_be_trusted_is_not_asked),
        cmocka_unit_test(test_an_end_that_tls_does_not_tell_is_no_end),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
