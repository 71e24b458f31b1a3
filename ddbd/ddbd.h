// What the parts of ddbd share: one struct for the process, one per worker, one per call.
#pragma once

#include <stdbool.h>

#include "common/base/secret.h"
#include "common/rpc/call.h"
#include "common/rpc/daemon.h"
#include "ddbd/catalogue.h"
#include "ddbd/keycache.h"
#include "ddbd/kms_client.h"
#include "ddbd/open_table.h"

struct change_feed;
struct change_position;
struct clock_follow;
struct key_check;
struct retire;
struct sse_call;
struct sse_work;
struct trail_ship;

struct ddbd {
    struct daemon *daemon;
    struct catalogue *catalogue;
    struct open_tables *tables;
    struct keycache *keys;
    struct secret owned_key;
    bool strict;                      // --key-cache=strict
    struct change_position *position; // of kmsd's change feed, shared by the workers
    int64_t kms_timeout_ns;
    bool ending; // main thread only
    const char *kms_url;
    // Of the main thread:
    struct kms_client *kms;
    struct sse_work *work;
    struct retire *retire;
    struct key_check *check;
    struct clock_follow *follow;
    struct trail_ship *ship;
};

struct ddbd_worker {
    struct kms_client *kms;
    struct change_feed *feed; // NULL unless strict
};

// call->state: made by the resolver of table operations, in the call's arena; call_state_release() empties it.
struct call_state {
    struct call *call;
    char account[13]; // the table's: from TableName when that is an ARN
    char name[TABLE_NAME_MAX + 1];
    const char *arn;
    const struct table_info *table; // counted; NULL: not looked up, or there is none
    bool changed;                   // the store has to be committed before the reply leaves
    bool kick;                      // sse_work.c goes on with `table` once the reply has left
    // Item operations:
    bool waiting, up_to_date;
    const struct fault *failed; // asking the change feed did not work
    const char *failed_detail;
    struct keycache_waiter wait;
    struct buf item, key, old; // plaintext: wiped
    uint64_t ticket;
    // CreateTable, UpdateTable:
    struct sse_call *sse;
};

static inline struct ddbd *ddbd_of(const struct call *call)
{
    return call->daemon->ext;
}

static inline struct ddbd_worker *ddbd_worker_of(const struct call *call)
{
    return call->worker->ext;
}

// service->release and service->commit.
void call_state_release(struct call *call);
MUST_CHECK const struct fault *call_state_commit(struct call *call);
