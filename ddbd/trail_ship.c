// The shipper of ddbd's trail. common/trail/ship.h reads the journal and keeps the position; kmsd drops what it has
// seen.
#include "ddbd/trail_ship.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/rpc/loop.h"
#include "common/trail/ship.h"
#include "ddbd/backoff.h"

#define WHY_SIZE 512

struct trail_ship {
    struct ddbd *ddbd;
    struct ship *ship;
    struct event *retry;
    struct buf body;
    unsigned failures;
    bool sending, waiting;
    atomic_bool kicked;
};

static void next_batch(struct trail_ship *s);

static void retry_later(struct trail_ship *s, const char *what, const char *why)
{
    if (s->failures == 0)
        log_warn("%s: %s", what, why);
    struct timeval after = backoff_after(s->failures++);
    s->waiting = true;
    event_add(s->retry, &after);
}

static void on_sent(void *arg, int status, struct span body)
{
    struct trail_ship *s = arg;
    char why[WHY_SIZE];
    s->sending = false;
    if (status != 200) {
        snprintf(why, sizeof why, "%.*s%s", (int)(body.n < 300 ? body.n : 300), body.p ? body.p : "",
                 status == 403 ? " (do both daemons have the same --service-credentials?)" : "");
        retry_later(s, "events cannot be handed to kmsd", why);
        return;
    }
    if (!ship_done(s->ship, why, sizeof why)) {
        retry_later(s, "the position in the trail cannot be kept", why);
        return;
    }
    if (s->failures)
        log_info("events are handed to kmsd again");
    s->failures = 0;
    next_batch(s);
}

static void next_batch(struct trail_ship *s)
{
    char why[WHY_SIZE];
    if (s->sending || s->waiting)
        return;
    switch (ship_next(s->ship, SHIP_BATCH_MAX, &s->body, why, sizeof why)) {
    case SHIP_EMPTY:
        break;
    case SHIP_FAILED:
        retry_later(s, "the trail's journal cannot be read", why);
        break;
    case SHIP_BATCH:
        s->sending = true;
        kms_client_admin(s->ddbd->kms, "/_kmsd/trail/events", buf_span(&s->body), 0, on_sent, s);
        break;
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct trail_ship *s = arg;
    s->waiting = false;
    next_batch(s);
}

static void on_kick(void *arg)
{
    struct trail_ship *s = arg;
    atomic_store(&s->kicked, false);
    next_batch(s);
}

struct trail_ship *trail_ship_new(struct ddbd *d, char *why, size_t why_size)
{
    struct trail_ship *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->ddbd = d;
    buf_init(&s->body, 2 * SHIP_BATCH_MAX);
    s->ship = ship_new(d->daemon->journal, d->daemon->state_dir, why, why_size);
    s->retry = event_new(loop_base(d->daemon->loop), -1, 0, on_retry, s);
    if (!s->ship || !s->retry) {
        trail_ship_free(s);
        return NULL;
    }
    return s;
}

void trail_ship_free(struct trail_ship *s)
{
    if (!s)
        return;
    if (s->ship)
        ship_free(s->ship);
    if (s->retry)
        event_free(s->retry);
    buf_done(&s->body);
    free(s);
}

void trail_ship_kick(struct trail_ship *s)
{
    if (s && !atomic_exchange(&s->kicked, true))
        loop_post(s->ddbd->daemon->loop, on_kick, s);
}

void trail_ship_now(struct trail_ship *s)
{
    if (!s)
        return;
    s->waiting = false;
    event_del(s->retry);
    next_batch(s);
}

bool trail_ship_busy(const struct trail_ship *s)
{
    return s->sending || (!s->waiting && ship_pending(s->ship) > 0);
}
