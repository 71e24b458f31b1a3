// The journal's byte layout: encoding, bounded decoding, and the judgement of what a crash left at a segment's end.
// Called by the writer, the reader and the recovery; knows no files.
#include "common/trail/journal_format.h"

#include <endian.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/ids.h"

#define SECTOR 512

static const char segment_magic[8] = {'K', 'M', 'S', 'D', 'J', 'N', 'L', '1'};
static const char end_mark[4] = {'R', 'E', 'C', '1'};

static void put32(char *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof v);
}

static void put64(char *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof v);
}

static uint32_t get32(const char *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return le32toh(v);
}

static uint64_t get64(const char *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return le64toh(v);
}

static uint32_t crc(const char *at, size_t n)
{
    return crc32_of((struct span){at, n});
}

void journal_head_write(char out[JOURNAL_HEAD_SIZE], const struct journal_head *head)
{
    memset(out, 0, JOURNAL_HEAD_SIZE);
    memcpy(out, segment_magic, sizeof segment_magic);
    put64(out + 8, head->number);
    memcpy(out + 16, head->writer, strnlen(head->writer, JOURNAL_WRITER_SIZE - 1));
    put32(out + 32, crc(out, 32));
}

bool journal_head_read(struct span bytes, struct journal_head *head)
{
    if (bytes.n < JOURNAL_HEAD_SIZE || memcmp(bytes.p, segment_magic, sizeof segment_magic) != 0 ||
        get32(bytes.p + 32) != crc(bytes.p, 32) || bytes.p[16 + JOURNAL_WRITER_SIZE - 1])
        return false;
    head->number = get64(bytes.p + 8);
    memcpy(head->writer, bytes.p + 16, JOURNAL_WRITER_SIZE);
    return true;
}

static bool region_valid(struct span region)
{
    for (size_t i = 0; i < region.n; i++) {
        char c = region.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return region.n > 0 && region.n <= JOURNAL_REGION_MAX;
}

bool journal_entry_valid(const struct journal_entry *e)
{
    return id_is_account((struct span){e->account, strnlen(e->account, 13)}) &&
           region_valid((struct span){e->region, strnlen(e->region, sizeof e->region)}) &&
           e->origin.n <= JOURNAL_ORIGIN_MAX && e->json.n > 0 && e->json.n <= JOURNAL_JSON_MAX;
}

size_t journal_record_size(const struct journal_entry *e)
{
    return JOURNAL_RECORD_HEADER + strlen(e->region) + e->origin.n + e->json.n;
}

void journal_record_write(char *out, const struct journal_entry *e, uint64_t durable)
{
    size_t region_n = strlen(e->region);
    char *at = out + JOURNAL_RECORD_HEADER;
    memcpy(at, e->region, region_n);
    at += region_n;
    if (e->origin.n)
        memcpy(at, e->origin.p, e->origin.n);
    at += e->origin.n;
    memcpy(at, e->json.p, e->json.n);
    at += e->json.n;

    size_t length = (size_t)(at - (out + JOURNAL_RECORD_HEADER));
    put32(out + 4, crc(out + JOURNAL_RECORD_HEADER, length));
    put32(out + 8, (uint32_t)length);
    put32(out + 12, (uint32_t)(region_n | e->origin.n << 8));
    put64(out + 16, e->sequence);
    put64(out + 24, (uint64_t)e->time_ns);
    put64(out + 32, durable);
    memcpy(out + 40, e->account, 12);
    memcpy(out + 52, end_mark, sizeof end_mark);
    put32(out, crc(out + 4, JOURNAL_RECORD_HEADER - 4));
}

// The header alone: checksum first, then every bound.
static bool header_ok(const char *at)
{
    uint32_t sizes = get32(at + 12), region_n = sizes & 0xff, origin_n = sizes >> 8 & 0xff;
    uint32_t length = get32(at + 8);
    return memcmp(at + 52, end_mark, sizeof end_mark) == 0 && get32(at) == crc(at + 4, JOURNAL_RECORD_HEADER - 4) &&
           sizes >> 16 == 0 && origin_n <= JOURNAL_ORIGIN_MAX && length > region_n + origin_n &&
           length - region_n - origin_n <= JOURNAL_JSON_MAX && id_is_account((struct span){at + 40, 12});
}

enum journal_parsed journal_record_parse(struct span bytes, struct journal_parse *out)
{
    *out = (struct journal_parse){.size = JOURNAL_RECORD_HEADER};
    if (bytes.n < JOURNAL_RECORD_HEADER)
        return JOURNAL_MORE;
    if (!header_ok(bytes.p))
        return JOURNAL_BAD;
    size_t length = get32(bytes.p + 8), region_n = (unsigned char)bytes.p[12], origin_n = (unsigned char)bytes.p[13];
    const char *payload = bytes.p + JOURNAL_RECORD_HEADER;
    out->size += length;
    if (bytes.n < out->size)
        return JOURNAL_MORE;
    if (get32(bytes.p + 4) != crc(payload, length) || !region_valid((struct span){payload, region_n}))
        return JOURNAL_BAD;
    struct journal_entry *e = &out->entry;
    memcpy(e->account, bytes.p + 40, 12);
    memcpy(e->region, payload, region_n);
    e->sequence = get64(bytes.p + 16);
    e->time_ns = (int64_t)get64(bytes.p + 24);
    e->origin = (struct span){payload + region_n, origin_n};
    e->json = (struct span){payload + region_n + origin_n, length - region_n - origin_n};
    out->durable = get64(bytes.p + 32);
    return JOURNAL_PARSED;
}

static bool all_zero(const char *at, size_t n)
{
    return n == 0 || (at[0] == 0 && memcmp(at, at + 1, n - 1) == 0);
}

// A whole sector of the file inside [from, to) that was never written: reserved space reads as zeros, a record's JSON
// holds none.
static bool has_hole(struct span bytes, size_t from, size_t to)
{
    for (size_t at = (from + SECTOR - 1) / SECTOR * SECTOR; at + SECTOR <= to; at += SECTOR)
        if (all_zero(bytes.p + at, SECTOR))
            return true;
    return false;
}

// Are bytes of the record at `at` missing, rather than changed?
static bool looks_unfinished(struct span bytes, size_t at)
{
    const char *p = bytes.p + at;
    size_t left = bytes.n - at;
    if (left < JOURNAL_RECORD_HEADER || p[JOURNAL_RECORD_HEADER - 1] == 0 || all_zero(p, 16))
        return true; // a header cut off, or its first sector missing
    if (!header_ok(p))
        return false;
    size_t size = JOURNAL_RECORD_HEADER + get32(p + 8);
    return size > left || p[size - 1] == 0 || has_hole(bytes, at, at + size);
}

// Does any record behind `at` say that the bytes at `at` were already safe?
static bool was_durable(struct span bytes, size_t at)
{
    for (size_t i = at + 1; i + JOURNAL_RECORD_HEADER <= bytes.n; i++) {
        if (bytes.p[i + 52] != end_mark[0] || !header_ok(bytes.p + i))
            continue;
        if (get64(bytes.p + i + 32) > at)
            return true;
    }
    return false;
}

enum journal_tail journal_tail_judge(struct span bytes, size_t at)
{
    if (at >= bytes.n || all_zero(bytes.p + at, bytes.n - at))
        return JOURNAL_TAIL_CLEAN;
    return looks_unfinished(bytes, at) && !was_durable(bytes, at) ? JOURNAL_TAIL_TORN : JOURNAL_TAIL_DAMAGED;
}
