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
// delivered once; origin is empty for the daemon's own.
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

struct journal *journal_open(const char *dir, enum trail_sync sync, char *why, size_t why_size);
void journal_close(struct journal *j);

struct journal_writer *journal_writer_new(struct journal *j, const char *name, char *why, size_t why_size);
void journal_writer_free(struct journal_writer *w);

// Makes sure that a record of the largest size can be written. False: the call must be refused (errno says why).
MUST_CHECK bool journal_reserve(struct journal_writer *w);
// Stages a record; nothing is written yet.
MUST_CHECK bool journal_append(struct journal_writer *w, const struct journal_entry *e);
// Writes all staged records with one write(2), and fdatasync()s under TRAIL_SYNC_ALWAYS. False with errno: none of the
// turn's calls may be answered as done; the staged records are gone and the file holds none of them.
MUST_CHECK bool journal_flush(struct journal_writer *w);
size_t journal_staged(const struct journal_writer *w);
// TRAIL_SYNC_INTERVAL: syncs what is not yet synced.
void journal_sync_due(struct journal *j);

// Highest sequence journalled (or delivered) for an origin; 0: none. Thread-safe.
uint64_t journal_origin_sequence(struct journal *j, struct span origin);
// Atomic test-and-advance: true when sequence is new (the caller then appends it), false when it was seen.
bool journal_origin_advance(struct journal *j, struct span origin, uint64_t sequence);
