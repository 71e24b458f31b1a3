// The walk of a call through its steps, and the only way out.
#pragma once

#include "common/rpc/call.h"

// A new call in this worker. request's spans must live until done() was called. done(call, arg) is called at the end of
// the worker's turn, when record and changes are durable and the reply (call_reply_*) may leave; the call dies when it
// returns.
struct call *call_new(struct worker *worker, const struct call_request *request, void (*done)(struct call *, void *),
                      void *arg);
// Walks the steps. The call may be finished or suspended when this returns.
void call_run(struct call *call);
// Records, stages and queues the outcome; only dispatch and call_resume() come here.
void call_finish(struct call *call);
// Status and body of a finished call.
int call_reply_status(const struct call *call);
struct span call_reply_body(struct call *call);
