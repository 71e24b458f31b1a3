// Memory of exchanges: pooled, so that an idle connection holds no buffer and a busy one allocates nothing; wiped,
// since bodies carry plaintext. Called by conn.c and reply.c.
#include <stdlib.h>
#include <string.h>

#include "common/http/internal.h"

#define INPUT_INITIAL 4096
#define KEEP_MAX (16 * 1024) // larger buffers are not kept for the next request
#define POOL_MAX 64
#define REPLY_HEAD_MAX (64 * 1024)
#define REPLY_BODY_MAX (256 * 1024 * 1024)

struct http_exchange *exchange_take(struct http_server *server)
{
    struct http_exchange *x = TAILQ_FIRST(&server->pool);
    if (x) {
        TAILQ_REMOVE(&server->pool, x, link);
        server->n_pool--;
    } else {
        x = calloc(1, sizeof *x);
        if (!x)
            return NULL;
        x->server = server;
        buf_init(&x->head, REPLY_HEAD_MAX);
        buf_init(&x->body, REPLY_BODY_MAX);
    }
    TAILQ_INSERT_TAIL(&server->live, x, link);
    return x;
}

static void wipe_input(struct http_exchange *x, size_t from)
{
    if (x->in_high > from)
        explicit_bzero(x->in + from, x->in_high - from);
    x->in_high = from;
}

static void free_input(struct http_exchange *x)
{
    wipe_input(x, 0);
    free(x->in);
    x->in = NULL;
    x->in_cap = 0;
}

// What belongs to one request; the bytes stay.
static void forget_request(struct http_exchange *x)
{
    reply_clear(x);
    x->dispatched = x->client_closed = x->close_after = false;
    x->user = NULL;
    x->on_close = NULL;
    x->head_seen = x->head_len = x->body_len = x->end = 0;
    x->request.headers.n = 0;
    x->request.method = x->request.target = x->request.version = x->request.body = (struct span){0};
}

void exchange_free(struct http_exchange *x)
{
    if (x->staged)
        reply_unstage(x);
    TAILQ_REMOVE(&x->server->live, x, link);
    free_input(x);
    buf_wipe(&x->head);
    buf_wipe(&x->body);
    free(x);
}

void exchange_recycle(struct http_exchange *x)
{
    struct http_server *server = x->server;
    if (server->n_pool >= POOL_MAX) {
        exchange_free(x);
        return;
    }
    forget_request(x);
    if (x->in_cap > KEEP_MAX)
        free_input(x);
    wipe_input(x, 0);
    x->in_len = 0;
    x->conn = NULL;
    TAILQ_REMOVE(&server->live, x, link);
    TAILQ_INSERT_HEAD(&server->pool, x, link);
    server->n_pool++;
}

void exchange_next(struct http_exchange *x)
{
    size_t rest = x->in_len - x->end;
    memmove(x->in, x->in + x->end, rest);
    x->in_len = rest;
    wipe_input(x, rest);
    forget_request(x);
}

// Not realloc(): that would leave the old bytes behind.
bool exchange_room(struct http_exchange *x, size_t want)
{
    if (x->in_cap >= want)
        return true;
    size_t cap = want < INPUT_INITIAL ? INPUT_INITIAL : want;
    char *in = malloc(cap);
    if (!in)
        return false;
    if (x->in_len)
        memcpy(in, x->in, x->in_len);
    size_t len = x->in_len;
    free_input(x);
    x->in = in;
    x->in_cap = cap;
    x->in_high = len;
    return true;
}

void exchange_client_closed(struct http_exchange *x)
{
    if (x->client_closed)
        return;
    x->client_closed = true;
    void (*cb)(struct http_exchange *, void *) = x->on_close;
    x->on_close = NULL;
    if (cb && !x->staged)
        cb(x, x->on_close_arg);
}

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
    return &x->request;
}

void http_exchange_set_user(struct http_exchange *x, void *user)
{
    x->user = user;
}

void *http_exchange_user(const struct http_exchange *x)
{
    return x->user;
}

void http_exchange_on_close(struct http_exchange *x, void (*cb)(struct http_exchange *x, void *arg), void *arg)
{
    x->on_close = cb;
    x->on_close_arg = arg;
}

bool http_exchange_client_closed(const struct http_exchange *x)
{
    return x->client_closed;
}

bool http_exchange_staged(const struct http_exchange *x)
{
    return x->staged;
}
