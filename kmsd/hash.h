// uthash (Debian: uthash-dev) as this daemon uses it: memory that runs out ends the process, as everywhere, and the
// hash is ours, a word at a time (ARNs are long and share their beginnings).
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline unsigned hash_bytes(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ n;
    while (n > 0) {
        uint64_t word = 0;
        size_t take = n < 8 ? n : 8;
        memcpy(&word, p, take);
        h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
        p += take;
        n -= take;
    }
    return (unsigned)(h ^ h >> 29);
}

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hash_bytes((keyptr), (keylen)))
#define uthash_fatal(message) abort()
#include <uthash.h>
