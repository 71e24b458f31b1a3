// FNV-1a, 64 bits: a quick hash for tables of short texts. It protects nothing.
//
//     uint64_t h = fnv_span(fnv_span(FNV_START, a), b);
#pragma once

#include <stdint.h>

#include "common/base/buf.h"

#define FNV_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t fnv_byte(uint64_t h, unsigned char byte)
{
    return (h ^ byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t fnv_span(uint64_t h, struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        h = fnv_byte(h, (unsigned char)s.p[i]);
    return h;
}
