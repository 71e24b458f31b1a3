// Randomness. Ids may be made reproducible by a seed; secrets never are. Thread-safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rng;

// seed NULL: ids come from the operating system's generator (in pooled draws).
struct rng *rng_new(const char *seed);
void rng_free(struct rng *r);
// Bytes for ids: unpredictable unless seeded.
void rng_id(struct rng *r, void *out, size_t n);
// Bytes for keys, nonces and tokens: always the operating system's, whatever the seed. Aborts when there are none.
void rng_secret(void *out, size_t n);
