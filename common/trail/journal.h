// The append-only journal: every trail record goes here before its call is answered. One journal per worker (a folder
// of segment files journal/<writer>-<number>.log), so that writers need no lock. A record survives kill -9 once
// journal_flush() returned; --trail-sync says when it also survives a power cut.
//
// Space is reserved ahead (posix_fallocate), so that a full disk refuses the next call instead of losing a record.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

enum trail_sync {
    TRAIL_SYNC_ALWAYS,   // fdatasync before the replies of the turn leave
    TRAIL_SYNC_INTERVAL, // at most once a second, by journal_sync_due()
    TRAIL_SYNC_NEVER,
};

// What a record is filed under. origin and sequence: shipped events (ddbd) carry where they came from, so that each is
// delivered once; origin (at most 64 bytes) is empty for the daemon's own, and their sequence is set by the writer.
// Account and Region become folder names: 12 digits, and at most 31 of [a-z0-9-].
struct journal_entry {
    char account[13];
    char region[32];
    int64_t time_ns;
    struct span origin;
    uint64_t sequence;
    struct span json; // the record
};

struct journal;        // the folder, shared by all writers and the deliverer
struct journal_writer; // one thread's

// Opens or creates the folder. What a crash left is put in order: a torn tail (a write that never finished) is cut off.
// A damaged record anywhere else is an error that names file and offset: the journal stays as it is.
struct journal *journal_open(const char *dir, enum trail_sync sync, char *why, size_t why_size);
void journal_close(struct journal *j);

// Runs of the daemon on this journal, counted from 1; a later run's records are later whatever the clock said: that of
// this run, and that of one of the daemon's own records, as read.
uint64_t journal_run(const struct journal *j);
uint64_t journal_entry_run(const struct journal_entry *e);

// name: at most 15 of [a-z0-9]; one writer per name at a time. j must outlive it.
struct journal_writer *journal_writer_new(struct journal *j, const char *name, char *why, size_t why_size);
void journal_writer_free(struct journal_writer *w);

// Makes sure that a record of the largest size can be written: called before a call is invoked, nearly free when there
// is room. False: the call must be refused (errno says why).
MUST_CHECK bool journal_reserve(struct journal_writer *w);
// Stages a record; nothing is written yet. False: not a valid entry (EINVAL; the JSON may have 256 KiB), no memory.
MUST_CHECK bool journal_append(struct journal_writer *w, const struct journal_entry *e);
// Writes all staged records with one write(2), and fdatasync()s under TRAIL_SYNC_ALWAYS. False with errno: none of the
// turn's calls may be answered as done; the staged records are gone and the file holds none of them.
MUST_CHECK bool journal_flush(struct journal_writer *w);
// Called by journal_flush() when the staged records are in the file and before a consumer can see them, so that what
// the owner remembers of a record is there before the record is delivered. Not called when the flush fails.
void journal_on_written(struct journal_writer *w, void (*written)(void *arg), void *arg);
// Bytes staged.
size_t journal_staged(const struct journal_writer *w);
// TRAIL_SYNC_INTERVAL: syncs what is not yet synced; the caller's timer says how often. False with errno; tried again
// next time.
bool journal_sync_due(struct journal *j);

// Events that another daemon hands over are filed once: by origin (a text that never means anything else) and a
// sequence that grows. A sequence counts as seen once it was flushed; until then it belongs to the writer that staged
// it, so that a failed flush forgets it and a second sender of the same event cannot be told "seen" too early. Highest
// sequence flushed for an origin; 0: none. Thread-safe.
uint64_t journal_origin_sequence(struct journal *j, struct span origin);

enum journal_origin {
    JOURNAL_ORIGIN_NEW,  // the caller appends it to this writer now; the writer's next flush makes it seen, or not
    JOURNAL_ORIGIN_SEEN, // flushed already, or staged by this very writer
    JOURNAL_ORIGIN_BUSY, // another writer has events of this origin in hand: try again later
    JOURNAL_ORIGIN_NO_MEMORY,
};
// Claims the origin for this writer until its next flush, and tells whether the sequence is new.
MUST_CHECK enum journal_origin journal_origin_claim(struct journal_writer *w, struct span origin, uint64_t sequence);
// What a consumer remembers of segments that are gone (the deliverer, at start). False: out of memory.
bool journal_origin_restore(struct journal *j, struct span origin, uint64_t sequence);
