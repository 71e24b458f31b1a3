// The follower of kmsd's clock (kmsd's side: GET /_kmsd/clock?after=<generation>&follower=<name>).
#include "ddbd/clock_follow.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/json_read.h"
#include "common/base/log.h"
#include "common/rpc/loop.h"
#include "ddbd/background.h"
#include "ddbd/trail_ship.h"

#define POLL_TIMEOUT_MS 30000 // kmsd answers after 20 s at the latest
#define FIRST_TIMEOUT_MS 1000
#define AWAY_MS 250
// After a jump of the clock kmsd waits (at most 2 s) until its followers ask again. Asking again is put off until what
// the jump set going is done, so that whoever moved the clock sees its effects; but not longer than this.
#define SETTLE_LIMIT_NS (1500 * NS_PER_MS)
#define SETTLE_LOOK_MS 2

struct clock_follow {
    struct ddbd *ddbd;
    struct event *timer;
    char name[32];
    bool known;            // generation is of the kmsd that is there now
    atomic_bool connected; // as known, for other threads
    bool asked_once;
    uint64_t generation;
    int64_t settle_until_ns; // real, monotonic; 0: nothing to settle
};

static void ask(struct clock_follow *f);

static void wait_ms(struct clock_follow *f, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_add(f->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct clock_follow *f = arg;
    if (f->settle_until_ns && clock_monotonic_ns() < f->settle_until_ns && background_busy(f->ddbd))
        wait_ms(f, SETTLE_LOOK_MS);
    else
        ask(f);
}

bool clock_follow_read(struct span body, struct clock_state *state)
{
    json_t *v = json_read(body, NULL, 0);
    const json_t *is_virtual = json_object_get(v, "virtual"), *now = json_object_get(v, "nowNs");
    const json_t *scale = json_object_get(v, "scale"), *generation = json_object_get(v, "generation");
    bool ok = json_is_boolean(is_virtual) && json_is_integer(now) && json_is_number(scale) &&
              json_is_integer(generation) && json_integer_value(now) >= 0 && json_integer_value(generation) >= 0 &&
              json_number_value(scale) >= 0 && json_number_value(scale) <= 1e9;
    if (ok)
        *state = (struct clock_state){json_is_true(is_virtual), json_integer_value(now), json_number_value(scale),
                                      (uint64_t)json_integer_value(generation)};
    json_decref(v);
    return ok;
}

static void take_over(struct clock_follow *f, const struct clock_state *s)
{
    bool changed = !f->known || f->generation != s->generation;
    f->known = true;
    atomic_store(&f->connected, true);
    f->generation = s->generation;
    if (!changed)
        return;
    clock_follow(f->ddbd->daemon->clock, s);
    scheduler_run_due(f->ddbd->daemon->scheduler);
    f->settle_until_ns = clock_monotonic_ns() + SETTLE_LIMIT_NS;
}

static void on_reply(void *arg, int status, struct span body)
{
    struct clock_follow *f = arg;
    struct clock_state s;
    bool was_known = f->known;
    f->asked_once = true;
    f->settle_until_ns = 0;
    if (status != 200 || !clock_follow_read(body, &s)) {
        f->known = false;
        atomic_store(&f->connected, false);
        if (was_known && !background_ending(f->ddbd))
            log_warn("kmsd's clock cannot be followed: %.*s", (int)(body.n < 200 ? body.n : 200), body.p ? body.p : "");
        wait_ms(f, AWAY_MS);
        return;
    }
    if (!was_known) {
        log_info("following kmsd's clock");
        trail_ship_now(f->ddbd->ship);
    }
    take_over(f, &s);
    wait_ms(f, f->settle_until_ns ? SETTLE_LOOK_MS : 0);
}

static void ask(struct clock_follow *f)
{
    char target[96];
    f->settle_until_ns = 0;
    if (f->known)
        snprintf(target, sizeof target, "/_kmsd/clock?after=%llu&follower=%s", (unsigned long long)f->generation,
                 f->name);
    else
        snprintf(target, sizeof target, "/_kmsd/clock?follower=%s", f->name);
    kms_client_admin(f->ddbd->kms, target, (struct span){0}, f->known ? POLL_TIMEOUT_MS : FIRST_TIMEOUT_MS, on_reply,
                     f);
}

struct clock_follow *clock_follow_new(struct ddbd *d)
{
    struct clock_follow *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->ddbd = d;
    char hex[17];
    id_hex(d->daemon->rng, 8, hex);
    snprintf(f->name, sizeof f->name, "ddbd-%s", hex);
    f->timer = event_new(loop_base(d->daemon->loop), -1, 0, on_timer, f);
    if (!f->timer)
        abort();
    return f;
}

void clock_follow_free(struct clock_follow *f)
{
    if (!f)
        return;
    event_free(f->timer);
    free(f);
}

void clock_follow_start(struct clock_follow *f, int64_t limit_ns)
{
    struct event_base *base = loop_base(f->ddbd->daemon->loop);
    int64_t until = clock_monotonic_ns() + limit_ns;
    ask(f);
    while (!f->asked_once && clock_monotonic_ns() < until) {
        struct timeval tv = {0, 5000};
        event_base_loopexit(base, &tv);
        event_base_loop(base, EVLOOP_ONCE);
    }
}

bool clock_follow_connected(const struct clock_follow *f)
{
    return atomic_load(&f->connected);
}
