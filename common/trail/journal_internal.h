// The journal's own structures, shared by its files only.
#pragma once

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/trail/journal.h"
#include "common/trail/journal_format.h"
#include "common/trail/journal_read.h"

#define JOURNAL_ID_SIZE 33        // 32 hexadecimal characters and a terminator
#define JOURNAL_EPOCH_SHIFT 20    // segment number: epoch, then a count within this run
#define JOURNAL_SEQUENCE_SHIFT 40 // own sequence: epoch, then a count of records of this writer
#define JOURNAL_EPOCH_MAX (UINT64_C(1) << 22)

#define JOURNAL_SEGMENT_SIZE (UINT64_C(16) << 20)

struct journal_segment {
    uint64_t number;
    char writer[JOURNAL_WRITER_SIZE];
    int fd;                   // the writer's, -1 once sealed
    _Atomic uint64_t flushed; // whole records up to here
    _Atomic uint64_t synced;  // on the disk up to here
    bool sealed;              // under the journal's lock
    struct journal_segment *next;
};

struct journal_origin_row {
    char name[JOURNAL_ORIGIN_MAX + 1];
    uint64_t flushed, staged;
    struct journal_writer *claim; // whose staged events `staged` counts
    struct journal_origin_row *next;
};

struct journal {
    char *dir;
    enum trail_sync sync;
    uint64_t segment_size; // a new segment is begun at the first turn that finds this much; tests make it small
    char id[JOURNAL_ID_SIZE];
    uint64_t epoch;
    pthread_mutex_t lock; // everything below
    uint64_t segments_made;
    struct journal_segment *segments;   // by number
    struct journal_origin_row *origins; // most recently used first
};

struct journal_writer {
    struct journal *journal;
    char name[JOURNAL_WRITER_SIZE];
    struct journal_segment *segment; // NULL: none yet
    uint64_t at;                     // end of what is flushed
    uint64_t reserved;               // the file has room up to here
    uint64_t sequence;
    struct buf staged;
    size_t promised;     // calls that reserved and did not append yet, this turn
    bool must_roll_back; // bytes behind `at` could not be removed
    bool retire;         // the segment is not to be trusted with more
    bool claims;         // some origin rows are claimed by this writer
    void (*written)(void *arg);
    void *written_arg;
};

// "<dir>/<writer>-<number>.log"
bool journal_segment_path(const struct journal *j, const char *writer, uint64_t number, char out[PATH_MAX]);
// Files a segment in the list (takes it). Under the lock.
void journal_segment_insert(struct journal *j, struct journal_segment *segment);
// A record of a claimed origin was staged.
void journal_origin_staged(struct journal_writer *w, struct span origin, uint64_t sequence);
// After a flush: what this writer staged of any origin is seen, or forgotten.
void journal_origin_settle(struct journal_writer *w, bool flushed);
void journal_origins_free(struct journal *j);
// journal_open()'s part: reads every segment in the folder, mends the tails, collects origins.
bool journal_recover(struct journal *j, char *why, size_t why_size);
