// Growing byte buffer and spans: the one place that allocates for variable-length bytes. Used by everything; knows no
// format.
#include "common/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool span_starts(struct span a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && span_is((struct span){a.p, n}, prefix);
}

bool span_ends(struct span a, const char *suffix)
{
    size_t n = strlen(suffix);
    return n == 0 || (a.n >= n && memcmp(a.p + (a.n - n), suffix, n) == 0);
}

int span_cmp(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b, size_t keep)
{
    if (b->cap > keep)
        buf_done(b);
    b->len = 0;
    b->failed = false;
}

void buf_wipe(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_done(b);
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

struct span buf_span(const struct buf *b)
{
    return (struct span){b->data, b->len};
}

const char *buf_str(struct buf *b)
{
    char *end = buf_reserve(b, 1);
    if (!end)
        return NULL;
    *end = '\0';
    return b->data;
}

// One byte beyond the ceiling is allowed for, so that buf_str() works on a full buffer. No realloc(): it would leave a
// copy of the bytes behind, where buf_wipe() never comes.
static bool grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *data = malloc(cap);
    if (!data)
        return false;
    if (b->data) {
        memcpy(data, b->data, b->len);
        explicit_bzero(b->data, b->cap);
        free(b->data);
    }
    b->data = data;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if ((n && n - 1 > b->max - b->len) || (b->cap - b->len < n && !grow(b, b->len + n))) {
        b->failed = true;
        return NULL;
    }
    return b->data ? b->data + b->len : NULL;
}

void buf_commit(struct buf *b, size_t n)
{
    b->len += n;
}

// Inline for the callers below: most of what is appended is a few bytes, for which there is room.
static inline bool append(struct buf *b, const void *bytes, size_t n)
{
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return false;
    }
    if (n > b->cap - b->len && !buf_reserve(b, n))
        return false;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return true;
}

bool buf_append(struct buf *b, const void *bytes, size_t n)
{
    return append(b, bytes, n);
}

bool buf_append_span(struct buf *b, struct span s)
{
    return append(b, s.p, s.n);
}

bool buf_append_str(struct buf *b, const char *text)
{
    return append(b, text, strlen(text));
}

bool buf_append_char(struct buf *b, char c)
{
    return append(b, &c, 1);
}

bool buf_append_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return buf_append(b, digits + at, sizeof digits - at);
}

bool buf_append_i64(struct buf *b, int64_t v)
{
    if (v < 0 && !buf_append_char(b, '-'))
        return false;
    return buf_append_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

bool buf_vappendf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (to && (size_t)n <= b->max - b->len) {
        vsnprintf(to, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    } else {
        b->failed = true;
    }
    va_end(again);
    return buf_ok(b);
}

bool buf_appendf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool ok = buf_vappendf(b, format, args);
    va_end(args);
    return ok;
}
