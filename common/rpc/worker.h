// One worker thread: its loop, its HTTP server, its signing-key cache, its journal, and the end of its turns, where the
// records of all calls of the turn become durable, then the changes, and only then the replies leave.
#pragma once

#include "common/auth/sigv4.h"
#include "common/base/buf.h"
#include "common/http/server.h"
#include "common/rpc/call.h"
#include "common/rpc/loop.h"
#include "common/trail/journal.h"

struct worker {
    struct daemon *daemon;
    size_t index;
    struct loop *loop;
    struct http_server *http;
    struct sigv4_cache *signing_keys;
    struct journal_writer *journal; // NULL: this daemon keeps no trail
    struct buf record;
    struct call *finished; // this turn's, oldest first
    struct call **finished_tail;
    bool journal_failed; // in this turn
    struct call *free_calls;
    size_t free_calls_n;
    size_t suspended_n; // calls that wait for something (dispatch.c)
    void *ext;          // the daemon's own (ddbd: its client to kmsd)
};

// In the order of the daemon's `workers`. Each is called by daemon.c.
struct worker *worker_new(struct daemon *daemon, size_t index, char *why, size_t why_size);
void worker_free(struct worker *w);
void worker_turn_end(void *worker); // after every turn of the loop
// A cleared call, and where it goes when it is finished: dispatch.c's.
struct call *worker_take_call(struct worker *w);
void worker_queue_finished(struct worker *w, struct call *call);
// Flushes the journal before the turn's end: for admin handlers that acknowledge what they journalled. False: it
// failed, and no call of this turn will be answered as done.
bool worker_flush_journal(struct worker *w);
// The same for a call that is finished and has changed what others might make durable before its turn ends. When the
// record cannot be written the process is over at once, and comes back with what is on disk.
void worker_record_change(struct call *call);
