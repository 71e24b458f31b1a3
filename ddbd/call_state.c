// The end of a call's ddbd part: making its changes durable at the end of the turn, and emptying its state.
#include "common/base/log.h"
#include "common/rpc/loop.h"
#include "ddbd/change_feed.h"
#include "ddbd/ddbd.h"
#include "ddbd/faults.h"
#include "ddbd/sse_call.h"
#include "ddbd/sse_work.h"
#include "ddbd/table_access.h"
#include "ddbd/trail_ship.h"

const struct fault *call_state_commit(struct call *call)
{
    struct call_state *s = call->state;
    if (!s)
        return NULL;
    if (s->ticket) {
        struct table *file = open_table_file(key_lease_opened(s->wait.lease));
        const struct fault *fault = table_access_fault(call, table_commit(file, s->ticket), file);
        if (fault)
            return fault;
    }
    char why[256];
    if (s->changed && !store_commit(call->daemon->store, why, sizeof why)) {
        log_error("%s %s: the catalogue cannot be written: %s", call->request_id, call->op->name, why);
        return &fault_internal;
    }
    return NULL;
}

void call_state_release(struct call *call)
{
    struct ddbd *d = ddbd_of(call);
    struct call_state *s = call->state;
    if (call->op_name && !op_is_data_event(call->service, call->op, call->op_name))
        trail_ship_kick(d->ship); // its record is in the journal
    if (!s)
        return;
    keycache_cancel(d->keys, &s->wait);
    keycache_waiter_done(d->keys, &s->wait);
    if (ddbd_worker_of(call)->feed)
        change_feed_forget(ddbd_worker_of(call)->feed, s);
    if (s->kick)
        sse_work_kick(d->work, s->table, s->sse);
    sse_call_free(s->sse);
    table_info_unref(s->table);
    buf_wipe(&s->item);
    buf_wipe(&s->key);
    buf_wipe(&s->old);
}
