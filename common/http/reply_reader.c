// Gathers one reply from the bytes of a connection (RFC 9112 section 6.3 for where it ends). Called by client.c, which
// owns the socket.
#include "common/http/reply_reader.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_INITIAL 4096
#define ROOM_MIN 1024

void reply_reader_init(struct reply_reader *r, size_t max, bool to_head_request)
{
    *r = (struct reply_reader){.max = max, .to_head_request = to_head_request};
}

static void wipe(struct reply_reader *r, size_t from)
{
    if (r->high > from)
        OPENSSL_cleanse(r->in + from, r->high - from);
    r->high = from;
}

void reply_reader_done(struct reply_reader *r)
{
    wipe(r, 0);
    free(r->in);
    r->in = NULL;
    r->len = r->cap = 0;
}

// Not realloc(): that would leave the old bytes behind.
char *reply_reader_room(struct reply_reader *r, size_t *n)
{
    if (r->cap - r->len < ROOM_MIN) {
        size_t cap = r->cap ? r->cap * 4 : ROOM_INITIAL;
        char *in = malloc(cap);
        if (!in)
            return NULL;
        size_t len = r->len;
        if (len)
            memcpy(in, r->in, len);
        reply_reader_done(r);
        r->in = in;
        r->len = r->high = len;
        r->cap = cap;
    }
    *n = r->cap - r->len;
    return r->in + r->len;
}

static enum http_parse bad(enum http_client_failure *failure, enum http_client_failure why)
{
    *failure = why;
    return HTTP_PARSE_BAD;
}

static void begin_body(struct reply_reader *r)
{
    int status = r->response.status;
    struct http_framing *f = &r->response.framing;
    r->head_done = true;
    if (r->to_head_request || status == 204 || status == 304)
        *f = (struct http_framing){.content_length = 0, .keep_alive = f->keep_alive};
    r->until_close = !f->chunked && f->content_length < 0;
    http_chunked_init(&r->chunked, r->max - r->head_len);
}

// Up to the final head; interim ones (1xx) are dropped.
static enum http_parse read_head(struct reply_reader *r, enum http_client_failure *failure)
{
    for (;;) {
        struct span bytes = {r->in, r->len};
        size_t head_max = r->max < HTTP_HEAD_MAX ? r->max : HTTP_HEAD_MAX;
        enum http_parse p = http_head_complete(bytes, &r->head_seen);
        if (p == HTTP_PARSE_OK)
            p = http_parse_response_head(bytes, &r->response, &r->head_len);
        if (p == HTTP_PARSE_MORE && r->len <= head_max)
            return p;
        if (p == HTTP_PARSE_MORE || (p == HTTP_PARSE_OK && r->head_len > head_max))
            return bad(failure, HTTP_CLIENT_TOO_LARGE);
        if (p == HTTP_PARSE_BAD || r->response.status == 101)
            return bad(failure, HTTP_CLIENT_MALFORMED);
        if (r->response.status >= 200) {
            begin_body(r);
            return HTTP_PARSE_OK;
        }
        r->len -= r->head_len;
        memmove(r->in, r->in + r->head_len, r->len);
        r->head_seen = 0;
    }
}

static enum http_parse read_chunks(struct reply_reader *r, enum http_client_failure *failure)
{
    size_t at = r->head_len + r->body_len, consumed, produced;
    enum http_parse p = http_chunked_decode(&r->chunked, r->in + at, r->len - at, &consumed, &produced);
    r->body_len += produced;
    r->length = at + consumed;
    if (p == HTTP_PARSE_MORE)
        r->len = r->head_len + r->body_len;
    if (p == HTTP_PARSE_BAD)
        return bad(failure, r->chunked.too_large ? HTTP_CLIENT_TOO_LARGE : HTTP_CLIENT_MALFORMED);
    return p;
}

static enum http_parse read_body(struct reply_reader *r, enum http_client_failure *failure)
{
    const struct http_framing *f = &r->response.framing;
    size_t got = r->len - r->head_len;
    if (f->chunked)
        return read_chunks(r, failure);
    if (r->until_close) {
        r->body_len = got;
        r->length = r->len;
        return r->len > r->max ? bad(failure, HTTP_CLIENT_TOO_LARGE) : HTTP_PARSE_MORE;
    }
    if ((uint64_t)f->content_length > r->max - r->head_len)
        return bad(failure, HTTP_CLIENT_TOO_LARGE);
    r->body_len = (size_t)f->content_length;
    r->length = r->head_len + r->body_len;
    return got >= r->body_len ? HTTP_PARSE_OK : HTTP_PARSE_MORE;
}

// The spans of the head point to where it was parsed; the bytes may have moved since.
static void settle(struct reply_reader *r)
{
    struct http_framing framing = r->response.framing;
    size_t consumed;
    http_parse_response_head((struct span){r->in, r->head_len}, &r->response, &consumed);
    r->response.framing = framing;
}

enum http_parse reply_reader_got(struct reply_reader *r, size_t n, enum http_client_failure *failure)
{
    enum http_parse p = HTTP_PARSE_OK;
    r->len += n;
    r->high = r->len > r->high ? r->len : r->high;
    bool first = !r->head_done;
    if (first)
        p = read_head(r, failure);
    if (p == HTTP_PARSE_OK)
        p = read_body(r, failure);
    if (p == HTTP_PARSE_OK && !first)
        settle(r);
    return p;
}

bool reply_reader_closed(struct reply_reader *r)
{
    if (!r->head_done || !r->until_close)
        return false;
    settle(r);
    return true;
}

struct span reply_reader_body(const struct reply_reader *r)
{
    return r->in ? (struct span){r->in + r->head_len, r->body_len} : (struct span){0};
}

bool reply_reader_reusable(const struct reply_reader *r)
{
    return r->response.framing.keep_alive && !r->until_close && r->len == r->length;
}
