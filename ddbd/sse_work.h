// What goes on with a table after the reply: its key and file are made, its key is changed, its throughput, its end.
// All of it in the main thread, one step after the other, resumable from the catalogue at any point.
#pragma once

#include "ddbd/ddbd.h"
#include "ddbd/sse_call.h"

struct sse_work *sse_work_new(struct ddbd *d);
void sse_work_free(struct sse_work *w); // after kms_client_end()
// Takes up everything that an earlier run left half-done. At start.
void sse_work_resume(struct sse_work *w);
// Goes on with this table. made: what the call got from KMS (grant token and old table key are taken out of it); NULL:
// nothing. Any thread.
void sse_work_kick(struct sse_work *w, const struct table_info *t, struct sse_call *made);
// Something is being done right now (not: waiting for KMS to come back, or for the clock).
bool sse_work_busy(struct sse_work *w);
// A job of the scheduler: what keeps failing is given up after a time.
int64_t sse_work_due(void *work);
void sse_work_run(void *work, int64_t now_ns);

// store_commit() for the background: ends the daemon when it fails.
void sse_work_commit(struct ddbd *d);

// A job of the scheduler (arg: the struct ddbd): the phases of key changes.
int64_t sse_phase_due(void *ddbd);
void sse_phase_run(void *ddbd, int64_t now_ns);
