// SigV4's canonical request, string to sign and signing key: pure functions of the request, for verifying and signing.
// Source: AWS General Reference, "Create a signed AWS API request".
#include <stdlib.h>
#include <string.h>

#include "common/auth/sigv4_internal.h"
#include "common/base/encode.h"

#define QUERY_MAX 64
#define QUERY_BYTES (64 * 1024)
#define SEGMENTS_MAX 64

struct pair {
    struct span name, value; // encoded
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = span_cmp(x->name, y->name);
    return order ? order : span_cmp(x->value, y->value);
}

// "." and empty segments go, ".." takes its parent with it; what remains is encoded as it came over the wire, so that
// an escape's '%' is escaped once more: clients sign it so for every service but S3.
static bool append_path(struct buf *out, struct span path)
{
    if (span_is(path, "/"))
        return buf_append_char(out, '/');
    struct span segments[SEGMENTS_MAX];
    size_t n = 0;
    bool folder = path.n == 0 || path.p[path.n - 1] == '/';
    while (path.n > 0) {
        struct span one = sigv4_cut(&path, '/');
        if (one.n == 0 || span_is(one, "."))
            continue;
        if (span_is(one, ".."))
            n -= n > 0;
        else if (n == SEGMENTS_MAX)
            return false;
        else
            segments[n++] = one;
    }
    for (size_t i = 0; i < n; i++) {
        buf_append_char(out, '/');
        uri_encode(out, segments[i], false);
    }
    if (n == 0 || folder)
        buf_append_char(out, '/');
    return buf_ok(out);
}

// Escapes are normalised by decoding and encoding again.
static bool append_normalised(struct buf *out, struct span text)
{
    struct buf plain;
    buf_init(&plain, text.n);
    bool ok = uri_decode(&plain, text) && uri_encode(out, buf_span(&plain), false);
    buf_done(&plain);
    return ok;
}

// The encoded parameters one after another, and where each lies.
static bool encode_query(struct span query, struct buf *texts, size_t at[QUERY_MAX][3], size_t *n)
{
    for (*n = 0; query.n > 0;) {
        struct span one = sigv4_cut(&query, '&');
        if (one.n == 0)
            continue;
        if (*n == QUERY_MAX)
            return false;
        struct span name = sigv4_cut(&one, '=');
        size_t *place = at[(*n)++];
        place[0] = texts->len;
        if (!append_normalised(texts, name))
            return false;
        place[1] = texts->len;
        if (!append_normalised(texts, one))
            return false;
        place[2] = texts->len;
    }
    return true;
}

static bool append_query(struct buf *out, struct span query)
{
    if (query.n == 0)
        return true;
    size_t at[QUERY_MAX][3], n;
    struct pair pairs[QUERY_MAX];
    struct buf texts;
    buf_init(&texts, QUERY_BYTES);
    // Room from the start, so that parameters without a byte lie somewhere, too.
    bool ok = buf_reserve(&texts, query.n) && encode_query(query, &texts, at, &n);
    for (size_t i = 0; ok && i < n; i++)
        pairs[i] =
            (struct pair){{texts.data + at[i][0], at[i][1] - at[i][0]}, {texts.data + at[i][1], at[i][2] - at[i][1]}};
    if (ok && n)
        qsort(pairs, n, sizeof pairs[0], compare_pairs);
    for (size_t i = 0; ok && i < n; i++) {
        if (i)
            buf_append_char(out, '&');
        buf_append_span(out, pairs[i].name);
        buf_append_char(out, '=');
        buf_append_span(out, pairs[i].value);
    }
    buf_done(&texts);
    return ok && buf_ok(out);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// Runs of blanks become one, those at the ends go.
static void append_folded(struct buf *out, struct span value)
{
    size_t i = 0;
    while (i < value.n) {
        size_t from = i;
        while (i < value.n && !is_blank(value.p[i]))
            i++;
        buf_append(out, value.p + from, i - from);
        size_t blank = i;
        while (i < value.n && is_blank(value.p[i]))
            i++;
        if (blank < i && blank > 0 && i < value.n)
            buf_append_char(out, ' ');
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
    struct span path = sigv4_cut(&query, '?');
    buf_append_span(out, r->method);
    buf_append_char(out, '\n');
    if (!append_path(out, path))
        return false;
    buf_append_char(out, '\n');
    if (!append_query(out, query))
        return false;
    buf_append_char(out, '\n');
    struct span names = signed_headers;
    bool found = true;
    while (names.n > 0)
        found &= append_header(out, r, sigv4_cut(&names, ';'));
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
