// SigV4's canonical request, string to sign and signing key: pure functions of the request, for verifying and signing.
// Source: AWS General Reference, "Create a signed AWS API request".
#include <stdlib.h>
#include <string.h>

#include "common/auth/sigv4.h"
#include "common/base/digest.h"
#include "common/base/encode.h"

#define QUERY_MAX 64

struct pair {
    struct span name, value; // encoded
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = span_cmp(x->name, y->name);
    return order ? order : span_cmp(x->value, y->value);
}

static struct span cut(struct span *rest, char at)
{
    const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct span head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = head.n + (end ? 1 : 0);
    *rest = (struct span){rest->p + used, rest->n - used};
    return head;
}

// Escapes are normalised by decoding and encoding again.
static bool append_normalised(struct buf *out, struct span text, bool keep_slash)
{
    struct buf plain;
    buf_init(&plain, text.n);
    bool ok = uri_decode(&plain, text) && uri_encode(out, buf_span(&plain), keep_slash);
    buf_done(&plain);
    return ok;
}

static bool append_query(struct buf *out, struct span query)
{
    struct pair pairs[QUERY_MAX];
    struct buf texts[QUERY_MAX * 2];
    size_t n = 0;
    bool ok = true;
    while (query.n > 0 && ok) {
        struct span one = cut(&query, '&');
        if (one.n == 0)
            continue;
        if (n == QUERY_MAX) {
            ok = false;
            break;
        }
        struct span name = cut(&one, '=');
        buf_init(&texts[2 * n], 64 * 1024);
        buf_init(&texts[2 * n + 1], 64 * 1024);
        ok = append_normalised(&texts[2 * n], name, false) && append_normalised(&texts[2 * n + 1], one, false);
        pairs[n] = (struct pair){buf_span(&texts[2 * n]), buf_span(&texts[2 * n + 1])};
        n++;
    }
    qsort(pairs, n, sizeof pairs[0], compare_pairs);
    for (size_t i = 0; i < n && ok; i++) {
        if (i)
            buf_append_char(out, '&');
        buf_append_span(out, pairs[i].name);
        buf_append_char(out, '=');
        buf_append_span(out, pairs[i].value);
    }
    for (size_t i = 0; i < 2 * n; i++)
        buf_done(&texts[i]);
    return ok && buf_ok(out);
}

// Runs of blanks become one.
static void append_folded(struct buf *out, struct span value)
{
    bool blank = false;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == ' ' || c == '\t') {
            blank = true;
            continue;
        }
        if (blank)
            buf_append_char(out, ' ');
        blank = false;
        buf_append_char(out, c);
    }
}

static bool append_header(struct buf *out, const struct sigv4_request *r, struct span name)
{
    buf_append_span(out, name);
    buf_append_char(out, ':');
    bool found = false;
    for (size_t i = 0; i < r->headers_n; i++) {
        if (!span_ieq(r->headers[i].name, name))
            continue;
        if (found)
            buf_append_char(out, ',');
        append_folded(out, r->headers[i].value);
        found = true;
    }
    buf_append_char(out, '\n');
    return found;
}

bool sigv4_canonical_request(const struct sigv4_request *r, struct span signed_headers, struct span payload_hash,
                             struct buf *out)
{
    struct span query = r->target;
    struct span path = cut(&query, '?');
    buf_append_span(out, r->method);
    buf_append_char(out, '\n');
    // The path is encoded as it came; these services only know "/" and plain paths.
    if (!append_normalised(out, path.n ? path : SPAN("/"), true))
        return false;
    buf_append_char(out, '\n');
    if (!append_query(out, query))
        return false;
    buf_append_char(out, '\n');
    struct span names = signed_headers;
    bool found = true;
    while (names.n > 0)
        found &= append_header(out, r, cut(&names, ';'));
    buf_append_char(out, '\n');
    buf_append_span(out, signed_headers);
    buf_append_char(out, '\n');
    buf_append_span(out, payload_hash);
    return found && buf_ok(out);
}

bool sigv4_string_to_sign(struct span amz_date, struct span scope, struct span canonical_request, struct buf *out)
{
    char hash[2 * SHA256_SIZE + 1];
    sha256_hex(canonical_request, hash);
    buf_append_str(out, "AWS4-HMAC-SHA256\n");
    buf_append_span(out, amz_date);
    buf_append_char(out, '\n');
    buf_append_span(out, scope);
    buf_append_char(out, '\n');
    return buf_append_str(out, hash);
}
