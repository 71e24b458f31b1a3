// What the deliverer and the shipper see of the journal: which parts of which segments wait for them, a reader that
// checks every record, and how to forget what is done. Private to common/trail. Everything here is thread-safe except a
// single reader.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/trail/journal.h"
#include "common/trail/journal_format.h"
#include "common/trail/positions.h"

// A stretch of one segment: whole records, all flushed.
struct journal_range {
    char writer[JOURNAL_WRITER_SIZE];
    uint64_t segment;
    uint64_t from, to;
};

// What is flushed and not yet done, in the order of the segments' making. *ranges is the caller's to free. False: out
// of memory.
bool journal_ranges(struct journal *j, const struct journal_positions *done, struct journal_range **ranges, size_t *n);
// Removes the finished segments that lie wholly behind the positions. One that cannot be removed is tried again next
// time; it is never read again.
void journal_forget(struct journal *j, const struct journal_positions *done);

// Made once with the folder; names it for ever.
const char *journal_id(const struct journal *j);

struct journal_reader;

// The reader holds one open segment and a buffer; NULL with a reason.
struct journal_reader *journal_reader_open(struct journal *j, const struct journal_range *range, char *why,
                                           size_t why_size);
void journal_reader_close(struct journal_reader *r);

enum journal_read {
    JOURNAL_READ_RECORD,
    JOURNAL_READ_END,
    JOURNAL_READ_FAILED, // damaged or unreadable: why names file and offset
};

// The next record; *e points into the reader's buffer until the next call. json_at is where its JSON lies in the file,
// next the offset behind the record.
struct journal_read_at {
    uint64_t json_at, next;
};
enum journal_read journal_reader_next(struct journal_reader *r, struct journal_entry *e, struct journal_read_at *at,
                                      char *why, size_t why_size);
// Reads n bytes of the segment at `at`. False with a reason.
bool journal_reader_copy(struct journal_reader *r, uint64_t at, void *out, size_t n, char *why, size_t why_size);
