// Growing byte buffer with a ceiling, and read-only spans of bytes.
//
// Errors are sticky: an append that would pass the ceiling, or an allocation that fails, marks the buffer failed and
// every later append does nothing, so that a writer appends freely and asks buf_ok() once at its end.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

// Bytes that somebody else owns; not terminated.
struct span {
    const char *p;
    size_t n;
};

#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})

// The small ones are inline: the length of a literal is then a constant, and most comparisons end with the lengths.
// text may be NULL: an empty span.
static inline struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

// Bytes equal.
static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

// Bytes equal to a C string.
static inline bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_of(text));
}

// ASCII case-insensitive.
static inline bool span_ieq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool span_starts(struct span a, const char *prefix); // begins with a C string
bool span_ends(struct span a, const char *suffix);   // ends with a C string
int span_cmp(struct span a, struct span b);          // unsigned byte order, shorter first on a tie

struct buf {
    char *data; // len bytes; not terminated unless buf_str() was called
    size_t len;
    size_t cap;
    size_t max; // ceiling of len
    bool failed;
};

// Starts an empty buffer that never holds more than max bytes. Allocates nothing.
void buf_init(struct buf *b, size_t max);
// Frees the memory; the buffer is as after buf_init() with the same ceiling.
void buf_done(struct buf *b);
// Empties it and forgets a failure; keeps the memory (a buffer above keep bytes is freed).
void buf_reset(struct buf *b, size_t keep);
// As buf_done(), but wipes the bytes first: for buffers that held secrets. (Growing leaves no copy behind.)
void buf_wipe(struct buf *b);

bool buf_ok(const struct buf *b);
struct span buf_span(const struct buf *b);
// The contents as a C string (a terminator is added behind len); NULL when the buffer failed.
const char *buf_str(struct buf *b);

// Makes room for n more bytes and returns where they go, NULL on failure; buf_commit(n) then counts them.
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

bool buf_append(struct buf *b, const void *bytes, size_t n);
bool buf_append_span(struct buf *b, struct span s);
bool buf_append_str(struct buf *b, const char *text);
bool buf_append_char(struct buf *b, char c);
bool buf_append_u64(struct buf *b, uint64_t v); // decimal
bool buf_append_i64(struct buf *b, int64_t v);  // decimal
bool buf_appendf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vappendf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
