// Parses the heads of HTTP/1.x messages. Called by the server for requests and by the client for responses; pure
// functions on bytes, so that the fuzzer can drive them. Reading, bodies and limits on bodies are left to the callers.
#include "common/http/request.h"

#include <string.h>
#include <strings.h>

enum {
    TOKEN = 1, // RFC 9110 5.6.2: names and methods
    VALUE = 2, // RFC 9110 5.5: field values, with obs-text and HTAB
    TARGET = 4 // visible ASCII
};

// What a byte may be part of. Delimiters ("(),/:;<=>?@[\\]{} and the like) are no token bytes.
static const uint8_t classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = TOKEN | VALUE | TARGET,
    ['"'] = VALUE | TARGET,
    ['#' ... '\''] = TOKEN | VALUE | TARGET,
    ['(' ... ')'] = VALUE | TARGET,
    ['*' ... '+'] = TOKEN | VALUE | TARGET,
    [','] = VALUE | TARGET,
    ['-' ... '.'] = TOKEN | VALUE | TARGET,
    ['/'] = VALUE | TARGET,
    ['0' ... '9'] = TOKEN | VALUE | TARGET,
    [':' ... '@'] = VALUE | TARGET,
    ['A' ... 'Z'] = TOKEN | VALUE | TARGET,
    ['[' ... ']'] = VALUE | TARGET,
    ['^' ... 'z'] = TOKEN | VALUE | TARGET,
    ['{'] = VALUE | TARGET,
    ['|'] = TOKEN | VALUE | TARGET,
    ['}'] = VALUE | TARGET,
    ['~'] = TOKEN | VALUE | TARGET,
    [0x80 ... 0xff] = VALUE,
};

static bool all_are(struct span s, uint8_t class)
{
    // Gathered instead of left at the first mismatch: heads are nearly always good, and this has no branch a byte.
    uint8_t all = class;
    for (size_t i = 0; i < s.n; i++)
        all &= classes[(uint8_t)s.p[i]];
    return all;
}

static struct span sub(const char *from, const char *to)
{
    return (struct span){from, (size_t)(to - from)};
}

static struct span trim(struct span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

// Takes one line without its CRLF off the rest.
static enum http_parse take_line(struct span *rest, struct span *line)
{
    const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!lf)
        return HTTP_PARSE_MORE;
    if (lf == rest->p || lf[-1] != '\r')
        return HTTP_PARSE_BAD;
    *line = sub(rest->p, lf - 1);
    rest->n -= (size_t)(lf + 1 - rest->p);
    rest->p = lf + 1;
    return HTTP_PARSE_OK;
}

// A CR inside, a leading blank (folding, RFC 9112 5.2) and a blank before the colon all fail the classes.
static bool parse_header(struct span line, struct http_header *out)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return false;
    out->name = sub(line.p, colon);
    out->value = trim(sub(colon + 1, line.p + line.n));
    return out->name.n > 0 && all_are(out->name, TOKEN) && all_are(out->value, VALUE);
}

// Header lines up to and with the empty one. *status is for requests: 431 for too many.
static enum http_parse parse_headers(struct span *rest, struct http_headers *out, int *status)
{
    out->n = 0;
    for (;;) {
        struct span line;
        enum http_parse r = take_line(rest, &line);
        if (r != HTTP_PARSE_OK || line.n == 0)
            return r;
        if (out->n == HTTP_HEADERS_MAX) {
            *status = 431;
            return HTTP_PARSE_BAD;
        }
        if (!parse_header(line, &out->at[out->n++]))
            return HTTP_PARSE_BAD;
    }
}

// RFC 9110 8.6: digits only; neither sign, list nor more than an int64 holds.
static bool parse_length(struct span s, int64_t *out)
{
    int64_t v = 0;
    if (s.n == 0 || s.n > 18)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return true;
}

// Connection: a list of options, of which close wins over keep-alive (RFC 9112 9.3).
static void read_connection(struct span list, bool *close, bool *keep)
{
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        struct span option = trim(sub(list.p, comma ? comma : list.p + list.n));
        *close |= span_ieq(option, SPAN("close"));
        *keep |= span_ieq(option, SPAN("keep-alive"));
        list = comma ? sub(comma + 1, list.p + list.n) : (struct span){0};
    }
}

struct framing_seen {
    bool close, keep;
    bool length, encoding;
    unsigned hosts;
};

// One header's share in the framing; returns 0 or the status that refuses it.
static int read_framing(const struct http_header *h, struct http_framing *f, struct framing_seen *seen)
{
    switch (h->name.n) { // the length first: nearly all headers end here
    case 4:
        seen->hosts += span_ieq(h->name, SPAN("host"));
        return 0;
    case 6:
        if (!span_ieq(h->name, SPAN("expect")))
            return 0;
        f->expect_continue = span_ieq(h->value, SPAN("100-continue"));
        return f->expect_continue ? 0 : 417;
    case 10:
        if (span_ieq(h->name, SPAN("connection")))
            read_connection(h->value, &seen->close, &seen->keep);
        return 0;
    case 14:
        if (!span_ieq(h->name, SPAN("content-length")))
            return 0;
        if (seen->length || !parse_length(h->value, &f->content_length))
            return 400;
        seen->length = true;
        return 0;
    case 17:
        if (!span_ieq(h->name, SPAN("transfer-encoding")))
            return 0;
        if (seen->encoding)
            return 400;
        seen->encoding = true;
        f->chunked = span_ieq(h->value, SPAN("chunked"));
        return f->chunked ? 0 : 501; // RFC 9112 6.1: a coding not understood
    default:
        return 0;
    }
}

static int find_framing(const struct http_headers *headers, bool http11, struct http_framing *f,
                        struct framing_seen *seen)
{
    *f = (struct http_framing){.content_length = -1};
    *seen = (struct framing_seen){0};
    for (size_t i = 0; i < headers->n; i++) {
        int status = read_framing(&headers->at[i], f, seen);
        if (status)
            return status;
    }
    // RFC 9112 6.1 and 6.3: both at once, or chunks from a 1.0 peer, are how requests are smuggled.
    if (seen->encoding && (seen->length || !http11))
        return 400;
    f->keep_alive = !seen->close && (http11 || seen->keep);
    f->expect_continue = f->expect_continue && http11; // RFC 9110 10.1.1: ignored from 1.0
    return 0;
}

// RFC 9112 3.2.2: a server takes the absolute form too; its authority says nothing here that matters.
static bool normalize_target(struct span *target, bool options)
{
    if (target->n > 7 && strncasecmp(target->p, "http://", 7) == 0) {
        const char *path = memchr(target->p + 7, '/', target->n - 7);
        if (!path || path == target->p + 7)
            return false;
        *target = sub(path, target->p + target->n);
    }
    return target->n && (target->p[0] == '/' || (options && span_is(*target, "*")));
}

// "POST / HTTP/1.1". Returns 0 or the status that refuses it.
static int parse_request_line(struct span line, struct http_request *out)
{
    const char *end = line.p + line.n;
    const char *a = memchr(line.p, ' ', line.n);
    const char *b = a ? memchr(a + 1, ' ', (size_t)(end - (a + 1))) : NULL;
    if (!b)
        return 400;
    out->method = sub(line.p, a);
    out->target = sub(a + 1, b);
    out->version = sub(b + 1, end);
    if (out->method.n == 0 || out->method.n > 32 || !all_are(out->method, TOKEN) || !all_are(out->target, TARGET))
        return 400;
    struct span v = out->version;
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[5] < '0' || v.p[5] > '9' || v.p[6] != '.' || v.p[7] < '0' ||
        v.p[7] > '9')
        return 400;
    if (v.p[5] != '1')
        return 505;
    if (span_is(out->method, "CONNECT")) // its target and its answer are not those of a request to a resource
        return 501;
    return normalize_target(&out->target, span_is(out->method, "OPTIONS")) ? 0 : 400;
}

enum http_parse http_parse_head(struct span bytes, struct http_request *out, size_t *consumed, int *status)
{
    struct span rest = bytes, line;
    *status = 400;
    if (rest.n == 1 && rest.p[0] == '\r')
        return HTTP_PARSE_MORE;
    if (rest.n >= 2 && rest.p[0] == '\r' && rest.p[1] == '\n')
        rest.p += 2, rest.n -= 2;
    if (rest.n && !(classes[(uint8_t)rest.p[0]] & TOKEN))
        return HTTP_PARSE_BAD; // TLS or other garbage: not worth waiting for a line
    enum http_parse r = take_line(&rest, &line);
    if (r != HTTP_PARSE_OK)
        return r;
    *status = parse_request_line(line, out);
    if (*status)
        return HTTP_PARSE_BAD;
    *status = 400;
    r = parse_headers(&rest, &out->headers, status);
    if (r != HTTP_PARSE_OK)
        return r;
    bool http11 = out->version.p[7] != '0';
    struct framing_seen seen;
    *status = find_framing(&out->headers, http11, &out->framing, &seen);
    // RFC 9112 3.2: a 1.1 request has exactly one Host; nobody may have two.
    if (!*status && (seen.hosts > 1 || (http11 && seen.hosts == 0)))
        *status = 400;
    *consumed = bytes.n - rest.n;
    return *status ? HTTP_PARSE_BAD : HTTP_PARSE_OK;
}

// "HTTP/1.1 200 OK"; the reason may be empty, its blank too.
static bool parse_status_line(struct span line, struct http_response *out)
{
    if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[7] < '0' || line.p[7] > '9' || line.p[8] != ' ')
        return false;
    out->status = 0;
    for (int i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return false;
        out->status = out->status * 10 + (line.p[i] - '0');
    }
    if (out->status < 100 || (line.n > 12 && line.p[12] != ' '))
        return false;
    out->reason = line.n > 13 ? sub(line.p + 13, line.p + line.n) : (struct span){line.p + line.n, 0};
    return all_are(out->reason, VALUE);
}

enum http_parse http_parse_response_head(struct span bytes, struct http_response *out, size_t *consumed)
{
    struct span rest = bytes, line;
    int status = 0;
    enum http_parse r = take_line(&rest, &line);
    if (r != HTTP_PARSE_OK)
        return r;
    if (!parse_status_line(line, out))
        return HTTP_PARSE_BAD;
    r = parse_headers(&rest, &out->headers, &status);
    if (r != HTTP_PARSE_OK)
        return r;
    struct framing_seen seen;
    if (find_framing(&out->headers, bytes.p[7] != '0', &out->framing, &seen))
        return HTTP_PARSE_BAD;
    *consumed = bytes.n - rest.n;
    return HTTP_PARSE_OK;
}

enum http_parse http_head_complete(struct span bytes, size_t *seen)
{
    while (*seen < bytes.n) {
        const char *from = bytes.p + *seen;
        const char *lf = memchr(from, '\n', bytes.n - *seen);
        if (!lf) {
            *seen = bytes.n;
            break;
        }
        size_t at = (size_t)(lf - bytes.p);
        if (at == 0 || lf[-1] != '\r')
            return HTTP_PARSE_BAD;
        if (at >= 3 && lf[-2] == '\n') // the CRLF of an empty line, but not the one before the request line
            return HTTP_PARSE_OK;
        *seen = at + 1;
    }
    return bytes.n > HTTP_HEAD_MAX ? HTTP_PARSE_BAD : HTTP_PARSE_MORE;
}

const struct http_header *http_headers_next(const struct http_headers *headers, const char *name,
                                            const struct http_header *after)
{
    struct span wanted = span_of(name);
    for (size_t i = after ? (size_t)(after - headers->at) + 1 : 0; i < headers->n; i++) {
        if (span_ieq(headers->at[i].name, wanted))
            return &headers->at[i];
    }
    return NULL;
}

const struct http_header *http_headers_find(const struct http_headers *headers, const char *name)
{
    return http_headers_next(headers, name, NULL);
}

struct span http_request_header(const struct http_request *request, const char *name)
{
    const struct http_header *h = http_headers_find(&request->headers, name);
    return h ? h->value : (struct span){0};
}

size_t http_request_header_count(const struct http_request *request, const char *name)
{
    size_t n = 0;
    for (const struct http_header *h = NULL; (h = http_headers_next(&request->headers, name, h)) != NULL;)
        n++;
    return n;
}
