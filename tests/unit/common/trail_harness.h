// For the tests of trail and store: a folder of one's own, processes that are killed at the n-th system call that
// changes a file, and the events that were delivered.
#pragma once

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/trail/journal.h"

struct scratch {
    char path[64];    // the folder
    char journal[96]; // <path>/journal
    char trail[96];   // <path>/trail
};
void scratch_new(struct scratch *s);
void scratch_remove(struct scratch *s);

// Memory shared with the processes that are killed.
struct progress {
    int acknowledged; // events that a flush has promised
    int other;
};
struct progress *progress_new(void);
void progress_free(struct progress *p);

// Runs body(arg) in a child, which is killed (SIGKILL) at the n-th point, counted from 1; 0: never. Points: before
// every open for writing, write, allocation, truncation, sync, rename, link removal; and in the middle of every write.
// True when it was killed; false when it got through. A child that fails otherwise fails the test.
bool killed_at(int n, void (*body)(void *arg), void *arg);

// Lets the next system calls of a kind fail with this errno in this process: count of them, after skip that work.
enum fault_kind { FAULT_NONE, FAULT_WRITE, FAULT_SYNC, FAULT_TRUNCATE, FAULT_ALLOCATE, FAULT_RENAME };
void fail_calls(enum fault_kind kind, int skip, int count, int error);

// A minimal record with an eventID.
void event_json(char *out, size_t size, const char *account, const char *region, const char *source, int id);
// Appends one with origin and sequence (or none) and returns what journal_append() says.
bool append_event(struct journal_writer *w, const char *account, const char *region, int id, int64_t time_ns);

// All delivered records, as an array (the caller's): each with the member "file" added. Checks every file's form.
json_t *delivered(const char *trail_dir);
// How often this eventID was delivered.
int delivered_times(const json_t *records, int id);
int files_in(const char *dir, const char *suffix); // below dir
