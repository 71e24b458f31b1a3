// Signs and sends requests to proxies over common/http's client; one HTTP client per endpoint, kept for its
// connections. Used by xks_wait.c (calls, in their workers) and connect_job.c (in the main thread).
#include "kmsd/xks_client.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/sigv4.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/time_format.h"
#include "common/http/address.h"
#include "common/http/client.h"
#include "common/http/tls.h"

#define ENDPOINTS_MAX 32 // more are forgotten, the idlest first
#define AUTHORIZATION_MAX 2048
#define TARGET_MAX 1024

struct endpoint {
    char *url;
    struct http_client *http;
    size_t running;
    uint64_t last_used;
    struct endpoint *next;
};

struct xks_exchange {
    struct xks_client *client;
    struct endpoint *endpoint; // NULL: could not be made
    struct http_client_call *call;
    struct event *soon; // a failure that is known at once
    enum xks_failure failure;
    struct xks_request asked; // what the reply is judged by: the spans have no bytes any more
    char *context;            // but this one
    void (*done)(void *arg, struct xks_reply *r);
    void *arg;
    struct xks_exchange *next, **link;
};

struct xks_client {
    struct event_base *base;
    const struct xks_settings *settings;
    struct endpoint *endpoints;
    struct xks_exchange *running;
    uint64_t uses;
    bool ending;
};

// ---- settings ----

// NULL: the endpoint is reached by its own name and port.
static const char *connect_to(const struct xks_settings *s, const char *url)
{
    size_t n = strlen(url);
    for (size_t i = 0; i < conf_count(s->conf, "xks-connect"); i++) {
        const char *rule = conf_item(s->conf, "xks-connect", i);
        const char *equals = strchr(rule, '=');
        if (n - 8 == (size_t)(equals - rule) && strncasecmp(rule, url + 8, n - 8) == 0)
            return equals + 1;
    }
    return NULL;
}

static bool check_rules(const struct conf *conf, char *why, size_t why_size)
{
    for (size_t i = 0; i < conf_count(conf, "xks-connect"); i++) {
        const char *rule = conf_item(conf, "xks-connect", i), *equals = strchr(rule, '=');
        struct http_address address;
        if (equals && equals != rule && http_address_parse(equals + 1, &address))
            continue;
        snprintf(why, why_size, "--xks-connect: %s is not of the form NAME=ADDRESS:PORT", rule);
        return false;
    }
    return true;
}

bool xks_settings_read(struct xks_settings *s, const struct conf *conf, char *why, size_t why_size)
{
    char reason[400];
    int64_t ms = conf_duration_ns(conf, "xks-timeout") / NS_PER_MS;
    *s = (struct xks_settings){.conf = conf, .timeout_ms = ms < 1 ? 1 : (unsigned)ms};
    s->tls = http_tls_new(conf_text(conf, "xks-ca"), reason, sizeof reason);
    if (!s->tls)
        snprintf(why, why_size, "--xks-ca: %s", reason);
    return s->tls && check_rules(conf, why, why_size);
}

void xks_settings_done(struct xks_settings *s)
{
    http_tls_free(s->tls);
    s->tls = NULL;
}

// ---- endpoints ----

static void forget(struct xks_client *c, struct endpoint *e)
{
    struct endpoint **link = &c->endpoints;
    while (*link != e)
        link = &(*link)->next;
    *link = e->next;
    http_client_free(e->http);
    free(e->url);
    free(e);
}

static void make_room(struct xks_client *c)
{
    struct endpoint *oldest = NULL;
    size_t n = 0;
    for (struct endpoint *e = c->endpoints; e; e = e->next, n++)
        if (e->running == 0 && (!oldest || e->last_used < oldest->last_used))
            oldest = e;
    if (n >= ENDPOINTS_MAX && oldest)
        forget(c, oldest);
}

static struct endpoint *endpoint_new(struct xks_client *c, const char *url)
{
    char error[HTTP_CLIENT_ERROR_MAX];
    struct http_client_limits limits = http_client_limits_default();
    limits.reply_max = XKS_BODY_MAX;
    struct endpoint *e = calloc(1, sizeof *e);
    if (!e || !(e->url = strdup(url)))
        abort();
    e->http = http_client_new_tls(c->base, url, &limits, c->settings->tls, connect_to(c->settings, url), error);
    if (!e->http) {
        log_error("the proxy %s cannot be asked: %s", url, error);
        free(e->url);
        free(e);
        return NULL;
    }
    e->next = c->endpoints;
    c->endpoints = e;
    return e;
}

static struct endpoint *endpoint_of(struct xks_client *c, const char *url)
{
    struct endpoint *e = c->endpoints;
    while (e && strcmp(e->url, url) != 0)
        e = e->next;
    if (!e && !c->ending) {
        make_room(c);
        e = endpoint_new(c, url);
    }
    if (e)
        e->last_used = ++c->uses;
    return e;
}

// ---- the end of a call ----

static void finish(struct xks_exchange *x, struct xks_reply *r)
{
    *x->link = x->next;
    if (x->next)
        x->next->link = x->link;
    if (x->soon)
        event_free(x->soon);
    x->done(x->arg, r);
    if (x->endpoint) // not before: it must not be forgotten while its callback runs
        x->endpoint->running--;
    xks_reply_done(r);
    free(x->context);
    free(x);
}

static void give_up(struct xks_exchange *x, enum xks_failure failure)
{
    struct xks_reply r = {.failure = failure};
    finish(x, &r);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct xks_exchange *x = arg;
    give_up(x, x->failure);
}

static enum xks_failure failure_of(enum http_client_failure failure)
{
    switch (failure) {
    case HTTP_CLIENT_TLS:
        return XKS_NO_TLS;
    case HTTP_CLIENT_TIMEOUT:
        return XKS_TIMED_OUT;
    case HTTP_CLIENT_MALFORMED:
    case HTTP_CLIENT_TOO_LARGE:
        return XKS_MALFORMED;
    default:
        return XKS_UNREACHABLE;
    }
}

static void on_reply(void *arg, const struct http_client_reply *reply, enum http_client_failure failure)
{
    struct xks_exchange *x = arg;
    struct xks_reply r;
    if (!reply) {
        log_info("the proxy %s: %s", x->endpoint->url, http_client_failure_text(failure));
        give_up(x, failure_of(failure));
        return;
    }
    xks_reply_read(&x->asked, reply->status, reply->body, &r);
    if (r.failure != XKS_OK)
        log_info("the proxy %s: status %d, %s: %s", x->endpoint->url, reply->status,
                 xks_failures[r.failure].name ? xks_failures[r.failure].name : "not as specified", r.message);
    finish(x, &r);
}

// ---- sending ----

static bool sign(const struct key_store *store, struct span target, const struct header headers[2], struct span body,
                 int64_t now_ns, struct buf *authorization)
{
    struct sigv4_request r = {SPAN("POST"), target, headers, 2, body};
    return sigv4_sign(&r, span_of(store->proxy.access_key_id), secret_span(&store->proxy.secret_key),
                      span_of(store->region), SPAN("kms-xks-proxy"), now_ns, authorization);
}

static struct http_client_call *send_signed(struct xks_exchange *x, const struct key_store *store, struct span target,
                                            struct span body)
{
    char date[TIME_AMZ_SIZE];
    int64_t now_ns = clock_real_ns(); // signatures are judged by the real clock
    struct buf authorization;
    struct http_client_call *call = NULL;
    time_amz(now_ns, date);
    struct header to_sign[2] = {{SPAN("host"), span_of(http_client_host(x->endpoint->http))},
                                {SPAN("x-amz-date"), span_of(date)}};
    buf_init(&authorization, AUTHORIZATION_MAX);
    if (sign(store, target, to_sign, body, now_ns, &authorization)) {
        struct http_header headers[] = {{to_sign[0].name, to_sign[0].value},
                                        {to_sign[1].name, to_sign[1].value},
                                        {SPAN("Content-Type"), SPAN("application/json")},
                                        {SPAN("Authorization"), buf_span(&authorization)}};
        call = http_client_call(x->endpoint->http, "POST", target, headers, 4, body, x->client->settings->timeout_ms,
                                on_reply, x);
    }
    buf_done(&authorization);
    return call;
}

// What the reply is judged by, without what the caller owns.
static void keep_question(struct xks_exchange *x, const struct xks_request *q)
{
    x->asked = (struct xks_request){.api = q->api, .integrity = q->integrity};
    x->asked.plaintext.n = q->plaintext.n;
    x->asked.sealed.bytes.n = q->sealed.bytes.n;
    if (q->context.n == 0)
        return;
    x->context = malloc(q->context.n);
    if (!x->context)
        abort();
    memcpy(x->context, q->context.p, q->context.n);
    x->asked.context = (struct span){x->context, q->context.n};
}

static struct xks_exchange *exchange_new(struct xks_client *c, const struct xks_request *q,
                                         void (*done)(void *arg, struct xks_reply *r), void *arg)
{
    struct xks_exchange *x = calloc(1, sizeof *x);
    if (!x)
        abort();
    x->client = c;
    x->done = done;
    x->arg = arg;
    keep_question(x, q);
    x->next = c->running;
    x->link = &c->running;
    if (x->next)
        x->next->link = &x->next;
    c->running = x;
    return x;
}

void xks_client_call(struct xks_client *c, const struct key_store *store, const struct xks_request *q,
                     void (*done)(void *arg, struct xks_reply *r), void *arg)
{
    struct xks_exchange *x = exchange_new(c, q, done, arg);
    struct buf target, body;
    buf_init(&target, TARGET_MAX);
    buf_init(&body, XKS_BODY_MAX);
    xks_request_target(q, store->proxy.path, &target);
    xks_request_body(q, &body);
    x->endpoint = endpoint_of(c, store->proxy.endpoint);
    if (x->endpoint) {
        x->endpoint->running++;
        if (!c->ending && buf_ok(&target) && buf_ok(&body))
            x->call = send_signed(x, store, buf_span(&target), buf_span(&body));
    }
    buf_done(&target);
    buf_wipe(&body);
    if (x->call)
        return;
    x->failure = XKS_UNREACHABLE;
    x->soon = event_new(c->base, -1, 0, on_soon, x);
    if (!x->soon || event_add(x->soon, &(struct timeval){0, 0}) != 0)
        abort();
}

// ---- life ----

struct xks_client *xks_client_new(struct event_base *base, const struct xks_settings *settings)
{
    struct xks_client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->base = base;
    c->settings = settings;
    return c;
}

void xks_client_end(struct xks_client *c)
{
    c->ending = true;
    while (c->running) {
        struct xks_exchange *x = c->running;
        if (x->call)
            http_client_cancel(x->call);
        give_up(x, XKS_UNREACHABLE);
    }
}

void xks_client_free(struct xks_client *c)
{
    if (!c)
        return;
    while (c->endpoints)
        forget(c, c->endpoints);
    free(c);
}
