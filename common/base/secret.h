// Bytes that must not outlive their use: wiped when released, never printed or logged, never in an arena.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

struct secret {
    unsigned char *p;
    size_t n;
};

// n zero bytes. False when memory is short (the secret is then empty).
MUST_CHECK bool secret_init(struct secret *s, size_t n);
// A copy of the given bytes.
MUST_CHECK bool secret_copy(struct secret *s, const void *bytes, size_t n);
// Wipes and frees; the secret is empty afterwards. An empty secret is fine.
void secret_done(struct secret *s);
// Moves the bytes out of from, which is empty afterwards. to must be empty.
void secret_take(struct secret *to, struct secret *from);
struct span secret_span(const struct secret *s);
// Constant time in the bytes (not in the length).
bool secret_eq(struct span a, struct span b);
