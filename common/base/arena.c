// Chunked bump allocator: a call's working memory, released at once by arena_reset() when the call ends. Used by the
// request path of both daemons; holds no secrets (nothing here is wiped).
#include "common/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Most calls fit into one chunk, so that a worker allocates nothing once it is warm.
#define CHUNK_SIZE 16384

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *kept = NULL;
    for (struct arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        if (!kept && c->size == CHUNK_SIZE)
            kept = c;
        else
            free(c);
    }
    if (kept)
        kept->next = NULL;
    *a = (struct arena){.chunks = kept};
}

void arena_done(struct arena *a)
{
    for (struct arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    arena_init(a);
}

static struct arena_chunk *chunk_new(size_t size)
{
    struct arena_chunk *c = malloc(sizeof *c + size);
    if (!c)
        abort();
    c->next = NULL;
    c->size = size;
    return c;
}

// Something large gets a chunk of its own behind the newest one, whose free space stays in use.
static void *alloc_large(struct arena *a, size_t n)
{
    struct arena_chunk *c = chunk_new(n);
    if (a->chunks) {
        c->next = a->chunks->next;
        a->chunks->next = c;
    } else {
        a->chunks = c;
        a->used = n;
    }
    return memset(c->data, 0, n);
}

void *arena_alloc(struct arena *a, size_t n)
{
    const size_t unit = alignof(max_align_t);
    if (n > SIZE_MAX - sizeof(struct arena_chunk) - unit)
        abort();
    n = n ? (n + unit - 1) / unit * unit : unit;
    if (!a->chunks || n > a->chunks->size - a->used) {
        if (n > CHUNK_SIZE / 4)
            return alloc_large(a, n);
        struct arena_chunk *c = chunk_new(CHUNK_SIZE);
        c->next = a->chunks;
        a->chunks = c;
        a->used = 0;
    }
    char *p = a->chunks->data + a->used;
    a->used += n;
    return memset(p, 0, n);
}

char *arena_strndup(struct arena *a, const char *text, size_t n)
{
    if (n == SIZE_MAX)
        abort();
    char *copy = arena_alloc(a, n + 1);
    if (n)
        memcpy(copy, text, n);
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_strndup(a, text, strlen(text));
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
    va_list again;
    char few[256]; // nearly every text fits, and is formatted only once
    va_copy(again, args);
    int n = vsnprintf(few, sizeof few, format, args);
    if (n < 0)
        abort();
    char *text;
    if ((size_t)n < sizeof few) {
        text = arena_strndup(a, few, (size_t)n);
    } else {
        text = arena_alloc(a, (size_t)n + 1);
        vsnprintf(text, (size_t)n + 1, format, again);
    }
    va_end(again);
    return text;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}
