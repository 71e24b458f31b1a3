// The main thread's work taken together. Called by clock_follow.c and, at the end, by main.c.
#include "ddbd/background.h"

#include <event2/event.h>

#include "common/rpc/loop.h"
#include "ddbd/key_check.h"
#include "ddbd/retire.h"
#include "ddbd/sse_work.h"
#include "ddbd/trail_ship.h"

bool background_busy(struct ddbd *d)
{
    return sse_work_busy(d->work) || retire_busy(d->retire) || key_check_busy(d->check);
}

bool background_ending(const struct ddbd *d)
{
    return d->ending;
}

void background_drain(struct ddbd *d, int64_t limit_ns)
{
    d->ending = true;
    struct event_base *base = loop_base(d->daemon->loop);
    int64_t until = clock_monotonic_ns() + limit_ns;
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK); // what the workers posted last
    trail_ship_now(d->ship);
    while ((background_busy(d) || trail_ship_busy(d->ship)) && clock_monotonic_ns() < until) {
        struct timeval tv = {0, 5000};
        event_base_loopexit(base, &tv);
        event_base_loop(base, EVLOOP_ONCE);
    }
}
