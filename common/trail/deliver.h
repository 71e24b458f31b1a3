// From the journal to CloudTrail log files, exactly once, also across kill -9 at any point: kmsd's deliverer.
//   <trail dir>/AWSLogs/<account>/CloudTrail/<region>/YYYY/MM/DD/
//       <account>_CloudTrail_<region>_YYYYMMDDTHHmmZ_<16 of [A-Za-z0-9]>.json.gz
// {"Records":[…]} on one line, records in the order of their time, at most 50 MB before compression (we end a file at
// 16 MiB, to stay small in memory); nothing is written where there were no events.
// Source: CloudTrail User Guide, "CloudTrail log file name format".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "common/trail/journal.h"

struct deliver;

// state_dir keeps what has been delivered, what every origin handed over, and the delivery under way
// ("delivered.json"). A delivery cut off by a crash is finished by the first deliver_run(), under the names and the
// time it had. Everything is borrowed. NULL with a reason: the state cannot be read, or the journal that it speaks of
// is gone.
struct deliver *deliver_new(struct journal *j, const char *state_dir, const char *trail_dir, struct rng *rng, char *why,
                            size_t why_size);
void deliver_free(struct deliver *d);
// What must be kept before the journal forgets the records that it came from: called by deliver_run() after the files
// of a delivery are written and before its records count as delivered. False with a reason: the run fails, and tries
// again.
void deliver_on_finish(struct deliver *d, bool (*save)(void *arg, char *why, size_t why_size), void *arg);
// Every record that is not delivered yet, in the order of the journal's segments. *e lives during the callback. False
// with a reason. Not while deliver_run() runs.
bool deliver_waiting(struct deliver *d, void (*each)(void *arg, const struct journal_entry *e), void *arg, char *why,
                     size_t why_size);
// Delivers everything flushed so far under the given time (names and folders). False with a reason; nothing is lost,
// the next run tries again. Not reentrant; any thread.
bool deliver_run(struct deliver *d, int64_t now_ns, char *why, size_t why_size);
// What the runs did since the start, for /_kmsd/health; any thread. last_ns: the time of the last run that wrote files.
struct deliver_stats {
    uint64_t files, records;
    int64_t last_ns;
};
struct deliver_stats deliver_stats(const struct deliver *d);
