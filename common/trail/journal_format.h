// How the journal's bytes are laid out: pure functions over memory, no files. Private to common/trail.
//
// A segment is a 64-byte head, then records back to back, then zeros (reserved space). All integers little-endian.
//   head:    magic[8] number u64, writer[16] (zero padded), crc u32 of the 32 bytes before it, zeros
//   record:  56-byte header, region, origin, JSON
//   header:  header crc u32 (of the 52 bytes after it), payload crc u32, length u32 (of all after the header),
//            region length u8, origin length u8, zeros u16, sequence u64, time i64 (ns), durable u64, account[12],
//            end mark u32
// `durable` is the offset up to which the segment was known to be on the disk when the record was staged: it tells a
// tail that a power cut may have torn from damage in bytes that were safe. The header's own checksum and the end mark
// tell a header whose bytes are missing from one whose bytes were changed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/trail/journal.h"

#define JOURNAL_HEAD_SIZE 64
#define JOURNAL_RECORD_HEADER 56
#define JOURNAL_WRITER_SIZE 16 // name and terminator
#define JOURNAL_REGION_MAX 31
#define JOURNAL_ORIGIN_MAX 64
#define JOURNAL_JSON_MAX (256 * 1024) // CloudTrail's largest event
#define JOURNAL_RECORD_MAX (JOURNAL_RECORD_HEADER + JOURNAL_REGION_MAX + JOURNAL_ORIGIN_MAX + JOURNAL_JSON_MAX)

struct journal_head {
    uint64_t number;
    char writer[JOURNAL_WRITER_SIZE];
};

void journal_head_write(char out[JOURNAL_HEAD_SIZE], const struct journal_head *head);
bool journal_head_read(struct span bytes, struct journal_head *head); // false: not a segment's head

// Account of 12 digits, Region of [a-z0-9-] (both become folder names), origin and JSON not too long.
bool journal_entry_valid(const struct journal_entry *e);
size_t journal_record_size(const struct journal_entry *e);
// Writes journal_record_size() bytes. The entry must be valid.
void journal_record_write(char *out, const struct journal_entry *e, uint64_t durable);

enum journal_parsed {
    JOURNAL_PARSED, // a whole record: *e points into bytes
    JOURNAL_MORE,   // bytes end before the record does
    JOURNAL_BAD,    // checksum or bounds are wrong
};

struct journal_parse {
    struct journal_entry entry;
    uint64_t durable;
    size_t size; // of the whole record; also set for JOURNAL_MORE once the header is there
};

enum journal_parsed journal_record_parse(struct span bytes, struct journal_parse *out);

// What follows the last good record of a segment at `at`; bytes is the whole segment.
enum journal_tail {
    JOURNAL_TAIL_CLEAN,   // nothing, or only reserved space
    JOURNAL_TAIL_TORN,    // a write that never finished: bytes are missing, and none of them was known to be durable
    JOURNAL_TAIL_DAMAGED, // bytes are there but wrong, or were durable once
};

enum journal_tail journal_tail_judge(struct span bytes, size_t at);
