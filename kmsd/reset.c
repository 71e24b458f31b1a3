// The way back to the seed, in the worker that was asked. As with calls: the records of what was done before come
// first, then the change, then the store, then the reply.
#include "kmsd/reset.h"

#include "common/base/json_read.h"
#include "common/base/log.h"
#include "common/rpc/worker.h"
#include "kmsd/fault_rules.h"
#include "kmsd/kmsd.h"
#include "kmsd/seed.h"

static bool is_empty(struct span body)
{
    char why[128];
    json_t *v = body.n ? json_read(body, why, sizeof why) : json_object();
    bool empty = json_is_object(v) && json_object_size(v) == 0;
    json_decref(v);
    return empty;
}

// The write lock is held. What fails here has left half of it: the state that is on the disk is whole.
static bool plant_again(struct kmsd *kmsd)
{
    char why[256];
    int64_t now_ns = clock_now_ns(kmsd->daemon->clock);
    keyring_clear(kmsd->keyring);
    keyring_forget_uses(kmsd->keyring, now_ns);
    bool ok = !kmsd->seed || seed_apply(kmsd->seed, kmsd->keyring, kmsd->daemon->rng, now_ns, true, why, sizeof why);
    if (!ok)
        log_error("the seed cannot be made again, ending: %s", why);
    return ok;
}

static bool reset(struct kmsd *kmsd, struct keyring_counts *counts)
{
    struct daemon *d = kmsd->daemon;
    char why[256];
    keyring_write_lock(kmsd->keyring);
    if (kmsd->seed && !seed_complete(kmsd->seed)) {
        keyring_write_unlock(kmsd->keyring);
        log_error("key material cannot be made; nothing was reset");
        return false;
    }
    bool ok = plant_again(kmsd);
    *counts = keyring_count(kmsd->keyring);
    keyring_write_unlock(kmsd->keyring);
    if (ok && !store_commit(d->store, why, sizeof why)) {
        log_error("the reset was not made durable, ending: %s", why);
        ok = false;
    }
    if (!ok)
        daemon_stop(d, 1);
    changes_reset(kmsd->changes, d->rng);
    fault_rules_clear(kmsd->faults, 0);
    scheduler_wake(d->scheduler);
    return ok;
}

void reset_post(struct worker *w, struct http_exchange *x, struct span query)
{
    (void)query;
    struct kmsd *kmsd = w->daemon->ext;
    struct keyring_counts counts;
    if (!is_empty(http_exchange_request(x)->body)) {
        admin_reply_error(x, 400, "the body is empty or {}");
    } else if (!worker_flush_journal(w)) {
        admin_reply_error(x, 503, "the journal cannot be written");
    } else if (!reset(kmsd, &counts)) {
        admin_reply_error(x, 500, "the reset failed; kmsd's log says why");
    } else {
        struct buf b;
        buf_init(&b, 256);
        buf_appendf(&b, "{\"keys\":%zu,\"aliases\":%zu,\"grants\":%zu}", counts.keys, counts.aliases, counts.grants);
        admin_reply(x, 200, buf_span(&b));
        buf_done(&b);
    }
}
