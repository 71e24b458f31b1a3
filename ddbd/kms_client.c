// Signs and sends ddbd's requests to kmsd over common/http's client. Used by table_access.c (Decrypt), sse_call.c
// (CreateTable and UpdateTable), sse_work.c, key_check.c, retire.c (background), trail_ship.c and change_feed.c.
#include "ddbd/kms_client.h"

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/sigv4.h"
#include "common/base/clock.h"
#include "common/base/time_format.h"
#include "common/http/client.h"

#define HEADERS_MAX 8
#define AUTHORIZATION_MAX 2048
#define REPLY_MAX (1024 * 1024)
#define ADMIN_REGION "us-east-1" // admin calls concern no Region; the signature must name one

struct exchange {
    struct kms_client *client;
    struct exchange *next, *previous; // of the client's list
    struct http_client_call *call;    // NULL: could not even be sent
    struct event *soon;
    void (*done)(void *arg, struct kms_reply *r);
    void (*admin_done)(void *arg, int status, struct span body);
    void *arg;
    unsigned timeout_ms;
};

struct kms_client {
    struct event_base *base;
    struct http_client *http;
    struct credentials *credentials;
    unsigned timeout_ms;
    struct exchange *pending, *last; // newest first; last: the oldest
    size_t pending_n;
    bool ending;
};

struct kms_client *kms_client_new(struct event_base *base, const char *url, struct credentials *credentials,
                                  int64_t timeout_ns, char *why, size_t why_size)
{
    struct kms_client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    struct http_client_limits limits = http_client_limits_default();
    limits.reply_max = REPLY_MAX;
    char error[HTTP_CLIENT_ERROR_MAX];
    c->base = base;
    c->credentials = credentials;
    int64_t ms = (timeout_ns + NS_PER_MS - 1) / NS_PER_MS;
    c->timeout_ms = ms < 1 ? 1 : ms > 3600000 ? 3600000 : (unsigned)ms;
    c->http = http_client_new(base, url, &limits, error);
    if (!c->http) {
        snprintf(why, why_size, "--kms-url: %s", error);
        free(c);
        return NULL;
    }
    return c;
}

// ---- ends of an exchange ----

static const char ending[] = "the daemon is ending";

static struct exchange *exchange_new(struct kms_client *c, void *arg)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        abort();
    x->client = c;
    x->timeout_ms = c->timeout_ms;
    x->arg = arg;
    x->next = c->pending;
    *(x->next ? &x->next->previous : &c->last) = x;
    c->pending = x;
    c->pending_n++;
    return x;
}

static void exchange_free(struct exchange *x)
{
    struct kms_client *c = x->client;
    *(x->previous ? &x->previous->next : &c->pending) = x->next;
    *(x->next ? &x->next->previous : &c->last) = x->previous;
    c->pending_n--;
    if (x->soon)
        event_free(x->soon);
    free(x);
}

static void give_up(struct exchange *x, const char *why)
{
    if (x->admin_done) {
        x->admin_done(x->arg, 0, span_of(why));
    } else {
        struct kms_reply r = {0};
        kms_reply_unreachable(&r, why);
        x->done(x->arg, &r);
    }
    exchange_free(x);
}

static struct span header_of(const struct http_client_reply *reply, const char *name)
{
    const struct http_header *h = http_headers_find(reply->headers, name);
    return h ? h->value : (struct span){0};
}

static void on_reply(void *arg, const struct http_client_reply *reply, enum http_client_failure failure)
{
    struct exchange *x = arg;
    if (!reply) {
        give_up(x, http_client_failure_text(failure));
        return;
    }
    if (x->admin_done) {
        x->admin_done(x->arg, reply->status, reply->body);
    } else {
        struct kms_reply r = {0};
        kms_reply_read(&r, reply->status, header_of(reply, "x-amzn-requestid"), reply->body);
        x->done(x->arg, &r);
        kms_reply_done(&r);
    }
    exchange_free(x);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct exchange *x = arg;
    give_up(x, x->client->ending ? ending : "the request could not be signed or sent");
}

void kms_client_end(struct kms_client *c)
{
    c->ending = true;
    // A callback may begin another call, which then fails by on_soon(): one pass over those that are there now.
    for (size_t n = c->pending_n; n > 0 && c->pending; n--) {
        struct exchange *x = c->last;
        if (x->call)
            http_client_cancel(x->call);
        give_up(x, ending);
    }
}

void kms_client_free(struct kms_client *c)
{
    if (!c)
        return;
    kms_client_end(c);
    while (c->pending)
        exchange_free(c->pending);
    http_client_free(c->http);
    free(c);
}

// ---- sending ----

struct message {
    struct span method, target, body;
    struct span region;
    struct header headers[HEADERS_MAX];
    size_t n;
};

static void add_header(struct message *m, const char *name, const char *value)
{
    m->headers[m->n++] = (struct header){span_of(name), span_of(value)};
}

static bool sign(struct kms_client *c, struct message *m, int64_t now_ns, struct buf *authorization)
{
    struct credential credential;
    if (!credentials_service(c->credentials, &credential))
        return false;
    struct sigv4_request r = {m->method, m->target, m->headers, m->n, m->body};
    bool ok = sigv4_sign(&r, span_of(credential.principal->access_key_id), credential.secret, m->region, SPAN("kms"),
                         now_ns, authorization);
    principal_unref(credential.principal);
    return ok;
}

static struct http_client_call *send_signed(struct exchange *x, struct message *m)
{
    struct kms_client *c = x->client;
    char date[TIME_AMZ_SIZE];
    int64_t now_ns = clock_real_ns(); // signatures are judged by the real clock
    time_amz(now_ns, date);
    add_header(m, "host", http_client_host(c->http));
    add_header(m, "x-amz-date", date);
    struct buf authorization;
    buf_init(&authorization, AUTHORIZATION_MAX);
    struct http_client_call *call = NULL;
    if (sign(c, m, now_ns, &authorization)) {
        struct http_header headers[HEADERS_MAX + 1];
        for (size_t i = 0; i < m->n; i++)
            headers[i] = (struct http_header){m->headers[i].name, m->headers[i].value};
        headers[m->n] = (struct http_header){SPAN("Authorization"), buf_span(&authorization)};
        call =
            http_client_call(c->http, m->method.p, m->target, headers, m->n + 1, m->body, x->timeout_ms, on_reply, x);
    }
    buf_done(&authorization);
    return call;
}

// Failures, too, are told by the event loop only.
static void send_or_fail_soon(struct exchange *x, struct message *m)
{
    x->call = x->client->ending ? NULL : send_signed(x, m);
    if (x->call)
        return;
    x->soon = event_new(x->client->base, -1, 0, on_soon, x);
    if (!x->soon || event_add(x->soon, &(struct timeval){0, 0}) != 0)
        abort();
}

void kms_client_call(struct kms_client *c, const struct kms_identity *who, const char *operation, struct span body,
                     void (*done)(void *arg, struct kms_reply *r), void *arg)
{
    struct exchange *x = exchange_new(c, arg);
    x->done = done;
    char target[96];
    snprintf(target, sizeof target, "TrentService.%s", operation);
    struct message m = {.method = SPAN("POST"), .target = SPAN("/"), .body = body, .region = span_of(who->region)};
    add_header(&m, "content-type", "application/x-amz-json-1.1");
    add_header(&m, "x-amz-target", target);
    if (who->user) {
        add_header(&m, "x-kmsd-on-behalf-of", who->user->access_key_id);
        add_header(&m, "x-kmsd-on-behalf-of-arn", who->user->arn);
    } else {
        add_header(&m, "x-amz-source-account", who->account);
    }
    send_or_fail_soon(x, &m);
}

void kms_client_admin(struct kms_client *c, const char *target, struct span body, unsigned timeout_ms,
                      void (*done)(void *arg, int status, struct span body), void *arg)
{
    struct exchange *x = exchange_new(c, arg);
    x->admin_done = done;
    if (timeout_ms)
        x->timeout_ms = timeout_ms;
    struct message m = {.method = body.n ? SPAN("POST") : SPAN("GET"),
                        .target = span_of(target),
                        .body = body,
                        .region = SPAN(ADMIN_REGION)};
    if (body.n)
        add_header(&m, "content-type", "application/x-ndjson");
    send_or_fail_soon(x, &m);
}
