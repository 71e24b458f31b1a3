// The binary form of kmsd's stored records: fixed-width big-endian integers and length-prefixed bytes. The reader
// checks bounds first; an error is sticky, asked for once at the end.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

void record_put_u8(struct buf *b, uint8_t v);
void record_put_u32(struct buf *b, uint32_t v);
void record_put_i64(struct buf *b, int64_t v);
void record_put_bytes(struct buf *b, struct span bytes); // 32-bit length, then the bytes
void record_put_text(struct buf *b, const char *text);   // NULL is written as the empty text

struct record_reader {
    struct span rest;
    bool failed;
};

uint8_t record_u8(struct record_reader *r);
uint32_t record_u32(struct record_reader *r);
int64_t record_i64(struct record_reader *r);
struct span record_bytes(struct record_reader *r);               // borrowed from the record
bool record_fixed(struct record_reader *r, void *out, size_t n); // exactly n bytes, without a length
char *record_text(struct record_reader *r);                      // a heap copy, terminated; NULL on failure
// A count of elements that each take at least min_bytes of what is left; 0 and failed when they cannot.
uint32_t record_count(struct record_reader *r, size_t min_bytes);
bool record_done(const struct record_reader *r); // all was well and nothing is left
