// Memory that is released at once: everything a call allocates that is no secret. Single-threaded.
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "common/base/buf.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; // newest first
    size_t used;                // bytes used in the newest chunk
};

void arena_init(struct arena *a);
// Releases all but one chunk, which is reused.
void arena_reset(struct arena *a);
void arena_done(struct arena *a);
// Zeroed, aligned for any type. Aborts the process when memory is gone (as a call cannot go on without it).
void *arena_alloc(struct arena *a, size_t n);
// Copies that live as long as the arena; the C strings are terminated.
char *arena_strndup(struct arena *a, const char *text, size_t n);
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
