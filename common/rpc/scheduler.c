// Jobs on the daemon's clock, run in the main thread. daemon.c owns it; kmsd and ddbd add their jobs at start.
#include "common/rpc/scheduler.h"

#include <stdatomic.h>
#include <stdlib.h>

#define JOBS_MAX 16
// A job that is due again at once is run again, but not for ever in one go.
#define ROUNDS_MAX 100
// The real clock may be set by hand: look again at least this often.
#define LOOK_AGAIN_S 60

struct scheduler {
    struct clock *clock;
    struct loop *loop;
    struct event *timer;
    struct job jobs[JOBS_MAX];
    size_t n;
    atomic_bool woken;
    bool running;
};

static int64_t next_due(struct scheduler *s)
{
    int64_t due = JOB_NEVER;
    for (size_t i = 0; i < s->n; i++) {
        int64_t at = s->jobs[i].due(s->jobs[i].arg);
        if (at < due)
            due = at;
    }
    return due;
}

static void arm(struct scheduler *s)
{
    int64_t wait = LOOK_AGAIN_S * NS_PER_S;
    int64_t due = next_due(s);
    if (due != JOB_NEVER) {
        int64_t until = clock_real_wait_ns(s->clock, due);
        if (until >= 0 && until < wait)
            wait = until;
    }
    struct timeval tv = {wait / NS_PER_S, (wait % NS_PER_S + 999) / 1000};
    event_add(s->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    scheduler_run_due(arg);
}

struct scheduler *scheduler_new(struct clock *clock, struct loop *loop)
{
    struct scheduler *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->clock = clock;
    s->loop = loop;
    s->timer = event_new(loop_base(loop), -1, 0, on_timer, s);
    if (!s->timer) {
        free(s);
        return NULL;
    }
    return s;
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    event_free(s->timer);
    free(s);
}

void scheduler_add(struct scheduler *s, const struct job *job)
{
    if (s->n == JOBS_MAX)
        abort();
    s->jobs[s->n++] = *job;
}

static void look(void *arg)
{
    struct scheduler *s = arg;
    atomic_store(&s->woken, false);
    arm(s);
}

void scheduler_wake(struct scheduler *s)
{
    if (!atomic_exchange(&s->woken, true))
        loop_post(s->loop, look, s);
}

int scheduler_run_due(struct scheduler *s)
{
    if (s->running)
        return 0;
    s->running = true;
    int ran = 0;
    bool again = true;
    for (int round = 0; again && round < ROUNDS_MAX; round++) {
        again = false;
        for (size_t i = 0; i < s->n; i++) {
            int64_t now = clock_now_ns(s->clock);
            if (s->jobs[i].due(s->jobs[i].arg) > now)
                continue;
            s->jobs[i].run(s->jobs[i].arg, now);
            again = true;
            ran++;
        }
    }
    s->running = false;
    arm(s);
    return ran;
}
