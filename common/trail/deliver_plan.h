// One delivery: a bounded stretch of the journal, sorted into files; and its durable form, the manifest. Private to
// common/trail.
//
// The manifest (ranges, file names, record counts) is on the disk before the first file is, so that a delivery cut off
// anywhere is done again with the same names and the same bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "common/trail/journal_read.h"

#define DELIVER_FILE_MAX (16u << 20)   // bytes of a file before compression
#define DELIVER_PLAN_BYTES (32u << 20) // of the journal, in one plan
#define DELIVER_PLAN_RECORDS (1u << 16)

// Where a record lies.
struct plan_record {
    int64_t time_ns;
    uint64_t json_at;
    uint32_t json_n;
    uint32_t range, group;
    uint32_t order; // as read
};
struct plan_group {
    char account[13];
    char region[JOURNAL_REGION_MAX + 1];
};
struct plan_file {
    char *path; // below the trail folder
    size_t records;
};
// The highest sequence that the plan delivers of an origin.
struct plan_origin {
    char name[JOURNAL_ORIGIN_MAX + 1];
    uint64_t sequence;
};
struct plan_origins {
    struct plan_origin *v; // oldest first
    size_t n;
};

struct plan {
    int64_t now_ns;
    struct journal_range *ranges;
    size_t ranges_n;
    struct plan_record *records; // sorted by group, time, order once read
    size_t records_n, records_room;
    bool whole; // it is of all its ranges as they were given, not only of as much as one delivery takes
    struct plan_group *groups;
    size_t groups_n;
    struct plan_origins origins;
    struct plan_file *files; // in the order of the records
    size_t files_n;
};

void plan_done(struct plan *p);
void plan_origins_done(struct plan_origins *o);
// Keeps the higher sequence and makes the origin the newest. False: out of memory.
bool plan_origins_set(struct plan_origins *o, struct span name, uint64_t sequence);

// Reads the ranges (taken over by the plan) into records, groups and origins. bounded: stops at the plan's limits and
// shortens the ranges to what was read. False with a reason.
bool plan_read(struct plan *p, struct journal *j, bool bounded, char *why, size_t why_size);
// Cuts the records into files and names them, avoiding names that exist below trail_dir.
bool plan_name_files(struct plan *p, const char *trail_dir, struct rng *rng, char *why, size_t why_size);
// Writes the files that do not exist yet. False with a reason.
bool plan_write_files(const struct plan *p, struct journal *j, const char *trail_dir, char *why, size_t why_size);
