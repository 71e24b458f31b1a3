// Jobs that hang on the daemon's clock: log delivery, key deletion, key checks. They run in the main thread, one at a
// time. When the virtual clock jumps, what became due runs before the jump is answered.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/rpc/loop.h"

#define JOB_NEVER INT64_MAX

struct job {
    const char *name;
    int64_t (*due)(void *arg);              // clock time of the next run; JOB_NEVER: none
    void (*run)(void *arg, int64_t now_ns); // must move its own due time on
    void *arg;
};

struct scheduler;

struct scheduler *scheduler_new(struct clock *clock, struct loop *loop);
void scheduler_free(struct scheduler *s);
void scheduler_add(struct scheduler *s, const struct job *job); // before the loop runs
// A due time or the clock changed: looks again. Any thread.
void scheduler_wake(struct scheduler *s);
// Runs what is due now, in the main thread. Returns how many ran.
int scheduler_run_due(struct scheduler *s);
