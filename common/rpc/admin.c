// The daemon's own endpoints: finds the route, lets in only whom it is for. The handlers are the daemon's.
#include "common/rpc/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json_write.h"
#include "common/rpc/daemon.h"
#include "common/rpc/worker.h"

#define REPLY_MAX (1024 * 1024)

void admin_reply(struct http_exchange *x, int status, struct span json)
{
    http_reply_begin(x, status);
    http_reply_header(x, "Content-Type", SPAN("application/json"));
    http_reply_body(x, json);
}

void admin_reply_error(struct http_exchange *x, int status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct buf b;
    buf_init(&b, REPLY_MAX);
    struct json_write w;
    json_write_init(&w, &b);
    json_obj_begin(&w);
    json_kcstr(&w, "message", text);
    json_obj_end(&w);
    admin_reply(x, status, buf_span(&b));
    buf_done(&b);
}

struct span admin_query(struct span query, const char *name)
{
    size_t n = strlen(name);
    while (query.n > 0) {
        const char *amp = memchr(query.p, '&', query.n);
        struct span pair = {query.p, amp ? (size_t)(amp - query.p) : query.n};
        if (pair.n > n && pair.p[n] == '=' && memcmp(pair.p, name, n) == 0)
            return (struct span){pair.p + n + 1, pair.n - n - 1};
        size_t used = pair.n + (amp ? 1 : 0);
        query = (struct span){query.p + used, query.n - used};
    }
    return (struct span){NULL, 0};
}

static bool signed_by_service(struct worker *w, const struct http_request *r)
{
    struct sigv4_request request = {
        .method = r->method,
        .target = r->target,
        .headers = (const struct header *)r->headers.at,
        .headers_n = r->headers.n,
        .body = r->body,
    };
    struct sigv4_rules rules = {
        .service = w->daemon->spec->service->name, .now_ns = clock_real_ns(), .skew_ns = 300 * NS_PER_S};
    struct sigv4_result by = {0};
    struct arena arena;
    arena_init(&arena);
    const char *detail = NULL;
    const struct fault *fault =
        sigv4_verify(&request, &rules, w->daemon->credentials, w->signing_keys, &arena, &by, &detail);
    bool service = !fault && by.principal->type == PRINCIPAL_SERVICE;
    if (!fault)
        principal_unref(by.principal);
    arena_done(&arena);
    return service;
}

static void handle(struct worker *w, struct http_exchange *x, const struct admin_route *route, struct span query)
{
    const struct http_request *r = http_exchange_request(x);
    if (route->loopback_only && !r->peer_is_loopback)
        admin_reply_error(x, 403, "only from this machine");
    // A browser of this machine says so when a page of somebody else's asks.
    else if (route->loopback_only && http_headers_find(&r->headers, "origin"))
        admin_reply_error(x, 403, "not from web pages");
    else if (route->service_only && !signed_by_service(w, r))
        admin_reply_error(x, 403, "only with the service credential");
    else
        route->handle(w, x, query);
}

bool admin_dispatch(struct worker *w, struct http_exchange *x)
{
    const struct http_request *r = http_exchange_request(x);
    if (!span_starts(r->target, "/_"))
        return false;
    const char *mark = memchr(r->target.p, '?', r->target.n);
    struct span path = {r->target.p, mark ? (size_t)(mark - r->target.p) : r->target.n};
    struct span query = {r->target.p + path.n + (mark ? 1 : 0), r->target.n - path.n - (mark ? 1 : 0)};
    bool known = false;
    for (const struct admin_route *route = w->daemon->spec->routes; route && route->path; route++) {
        if (!span_is(path, route->path) || (route->for_tests && !w->daemon->test_control))
            continue;
        known = true;
        if (span_is(r->method, route->method)) {
            handle(w, x, route, query);
            return true;
        }
    }
    admin_reply_error(x, known ? 405 : 404, known ? "method not allowed" : "no such endpoint");
    return true;
}
