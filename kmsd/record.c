// Codec of stored records, for key.c, grant.c and keyring_load.c. What the fields mean is theirs.
#include "kmsd/record.h"

#include <stdlib.h>
#include <string.h>

void record_put_u8(struct buf *b, uint8_t v)
{
    buf_append_char(b, (char)v);
}

void record_put_u32(struct buf *b, uint32_t v)
{
    unsigned char at[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                           (unsigned char)v};
    buf_append(b, at, sizeof at);
}

void record_put_i64(struct buf *b, int64_t v)
{
    record_put_u32(b, (uint32_t)((uint64_t)v >> 32));
    record_put_u32(b, (uint32_t)(uint64_t)v);
}

void record_put_bytes(struct buf *b, struct span bytes)
{
    record_put_u32(b, (uint32_t)bytes.n);
    buf_append_span(b, bytes);
}

void record_put_text(struct buf *b, const char *text)
{
    record_put_bytes(b, span_of(text));
}

static const unsigned char *take(struct record_reader *r, size_t n)
{
    if (r->failed || n > r->rest.n) {
        r->failed = true;
        return NULL;
    }
    const char *at = r->rest.p;
    r->rest.p += n;
    r->rest.n -= n;
    return (const unsigned char *)at;
}

uint8_t record_u8(struct record_reader *r)
{
    const unsigned char *p = take(r, 1);
    return p ? *p : 0;
}

uint32_t record_u32(struct record_reader *r)
{
    const unsigned char *p = take(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

int64_t record_i64(struct record_reader *r)
{
    uint64_t high = record_u32(r);
    return (int64_t)(high << 32 | record_u32(r));
}

struct span record_bytes(struct record_reader *r)
{
    size_t n = record_u32(r);
    const unsigned char *p = take(r, n);
    return p ? (struct span){(const char *)p, n} : (struct span){NULL, 0};
}

bool record_fixed(struct record_reader *r, void *out, size_t n)
{
    const unsigned char *p = take(r, n);
    if (!p)
        return false;
    memcpy(out, p, n);
    return true;
}

char *record_text(struct record_reader *r)
{
    struct span text = record_bytes(r);
    if (r->failed)
        return NULL;
    char *copy = strndup(text.p ? text.p : "", text.n);
    if (!copy)
        r->failed = true;
    return copy;
}

uint32_t record_count(struct record_reader *r, size_t min_bytes)
{
    uint32_t n = record_u32(r);
    if (r->failed || n > r->rest.n / min_bytes) {
        r->failed = true;
        return 0;
    }
    return n;
}

bool record_done(const struct record_reader *r)
{
    return !r->failed && r->rest.n == 0;
}
