// One table's background work, shared by sse_work.c (when) and sse_steps.c (what). Nobody else includes it.
#pragma once

#include <stdbool.h>

#include "ddbd/sse_work.h"

struct work {
    struct sse_work *home;
    struct work *next;
    const struct table_info *table; // which one; counted
    char *grant_token;
    struct secret old_key; // plaintext of the table key that is replaced
    struct event *retry;
    unsigned failures;
    bool asking;  // KMS
    bool waiting; // for a retry
    bool queued;  // for its turn
};

struct sse_work {
    struct ddbd *ddbd;
    struct work *first; // newest first
    struct event *turn; // takes the next one that is queued
    size_t queued_n;
};

// sse_work.c: goes on with the table, whatever its record says is next. The work may be freed.
void work_step(struct work *w);
// The step could not be done now: again after a while, until it is given up.
void work_retry_later(struct work *w);
// The table's snapshot of now (a reference); NULL: it is gone.
const struct table_info *work_current(struct work *w);

// sse_steps.c: each does its step, or begins it, and calls work_step() or work_retry_later() in the end.
bool step_wants_key(const struct table_info *t);
// True when the old table key is there; else it is on its way.
bool step_has_old_key(struct work *w, const struct table_info *t);
void step_make_key(struct work *w, const struct table_info *t);
void step_give_up(struct work *w, const struct table_info *t);
void step_update(struct work *w, const struct table_info *t);
void step_delete(struct work *w, const struct table_info *t);
