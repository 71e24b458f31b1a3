// The one place that asks the machine for the time. A virtual clock is an anchor (this virtual time was shown at that
// monotonic time) and a scale, so it runs on undisturbed when somebody sets the machine's wall clock.
//
// Every call reads the clock and hardly anyone changes it: readers use a sequence lock, writers a mutex. Who may change
// the clock, and the jobs that hang on it, are in common/rpc.
#include "common/base/clock.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct clock {
    pthread_mutex_t writers;
    atomic_uint sequence; // odd while a writer is at work
    // All atomic, since a reader may look at them while they change; it then looks again.
    _Atomic bool is_virtual;
    _Atomic int64_t anchor_ns;
    _Atomic int64_t anchor_monotonic_ns;
    _Atomic double scale;
    _Atomic uint64_t generation;
};

// What the fields say at one moment.
struct setting {
    bool is_virtual;
    int64_t anchor_ns, anchor_monotonic_ns;
    double scale;
    uint64_t generation;
};

static int64_t machine_ns(clockid_t which)
{
    struct timespec t;
    if (clock_gettime(which, &t) != 0)
        abort();
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_real_ns(void)
{
    return machine_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
    return machine_ns(CLOCK_MONOTONIC);
}

static struct setting load(const struct clock *c)
{
    for (;;) {
        unsigned before = atomic_load_explicit(&c->sequence, memory_order_acquire);
        struct setting s = {
            .is_virtual = atomic_load_explicit(&c->is_virtual, memory_order_acquire),
            .anchor_ns = atomic_load_explicit(&c->anchor_ns, memory_order_acquire),
            .anchor_monotonic_ns = atomic_load_explicit(&c->anchor_monotonic_ns, memory_order_acquire),
            .scale = atomic_load_explicit(&c->scale, memory_order_acquire),
            .generation = atomic_load_explicit(&c->generation, memory_order_acquire),
        };
        if (!(before & 1) && atomic_load_explicit(&c->sequence, memory_order_relaxed) == before)
            return s;
    }
}

// The caller holds the writers' mutex (or is alone, in clock_new).
static void store(struct clock *c, struct setting s)
{
    atomic_fetch_add(&c->sequence, 1);
    atomic_store(&c->is_virtual, s.is_virtual);
    atomic_store(&c->anchor_ns, s.anchor_ns);
    atomic_store(&c->anchor_monotonic_ns, s.anchor_monotonic_ns);
    atomic_store(&c->scale, s.scale);
    atomic_store(&c->generation, s.generation);
    atomic_fetch_add(&c->sequence, 1);
}

static int64_t to_ns(long double v)
{
    if (v >= (long double)INT64_MAX)
        return INT64_MAX;
    return v <= (long double)INT64_MIN ? INT64_MIN : (int64_t)v;
}

static int64_t shown_at(const struct setting *s, int64_t monotonic_ns)
{
    int64_t elapsed = monotonic_ns - s->anchor_monotonic_ns, now;
    if (s->scale != 1)
        elapsed = to_ns((long double)elapsed * (long double)s->scale);
    return __builtin_add_overflow(s->anchor_ns, elapsed, &now) || now > CLOCK_END_NS ? CLOCK_END_NS : now;
}

static int64_t shown_now(const struct setting *s)
{
    return s->is_virtual ? shown_at(s, clock_monotonic_ns()) : clock_real_ns();
}

static bool scale_ok(double scale)
{
    return isfinite(scale) && scale >= 0;
}

static struct clock *clock_new(struct setting s)
{
    struct clock *c = calloc(1, sizeof *c);
    if (!c || pthread_mutex_init(&c->writers, NULL) != 0)
        abort();
    // Beyond all that an earlier process of this daemon had: a follower that still has one of those is not up to date.
    s.generation = (uint64_t)(clock_real_ns() / 1000);
    store(c, s);
    return c;
}

struct clock *clock_new_real(void)
{
    return clock_new((struct setting){.scale = 1});
}

struct clock *clock_new_virtual(int64_t start_ns, double scale)
{
    return clock_new((struct setting){.is_virtual = true,
                                      .anchor_ns = start_ns,
                                      .anchor_monotonic_ns = clock_monotonic_ns(),
                                      .scale = scale_ok(scale) ? scale : 1});
}

void clock_free(struct clock *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->writers);
    free(c);
}

int64_t clock_now_ns(const struct clock *c)
{
    struct setting s = load(c);
    return shown_now(&s);
}

struct clock_state clock_state(const struct clock *c)
{
    struct setting s = load(c);
    return (struct clock_state){.is_virtual = s.is_virtual,
                                .now_ns = shown_now(&s),
                                .scale = s.is_virtual ? s.scale : 1,
                                .generation = s.generation};
}

// Opens a change: the setting with its anchor moved to this moment. False, and nothing to end, for a real clock.
static bool change_begin(struct clock *c, struct setting *s)
{
    pthread_mutex_lock(&c->writers);
    *s = load(c);
    if (!s->is_virtual) {
        pthread_mutex_unlock(&c->writers);
        return false;
    }
    int64_t now = clock_monotonic_ns();
    s->anchor_ns = shown_at(s, now);
    s->anchor_monotonic_ns = now;
    return true;
}

static bool change_end(struct clock *c, struct setting s, bool valid)
{
    if (valid) {
        s.generation++;
        store(c, s);
    }
    pthread_mutex_unlock(&c->writers);
    return valid;
}

bool clock_set(struct clock *c, int64_t now_ns)
{
    struct setting s;
    if (!change_begin(c, &s))
        return false;
    s.anchor_ns = now_ns;
    return change_end(c, s, true);
}

bool clock_advance(struct clock *c, int64_t by_ns)
{
    struct setting s;
    if (!change_begin(c, &s))
        return false;
    return change_end(c, s, by_ns >= 0 && !__builtin_add_overflow(s.anchor_ns, by_ns, &s.anchor_ns));
}

bool clock_set_scale(struct clock *c, double scale)
{
    struct setting s;
    if (!change_begin(c, &s))
        return false;
    s.scale = scale;
    return change_end(c, s, scale_ok(scale));
}

void clock_follow(struct clock *c, const struct clock_state *leader)
{
    pthread_mutex_lock(&c->writers);
    store(c, (struct setting){.is_virtual = leader->is_virtual,
                              .anchor_ns = leader->now_ns,
                              .anchor_monotonic_ns = clock_monotonic_ns(),
                              .scale = scale_ok(leader->scale) ? leader->scale : 1,
                              .generation = leader->generation});
    pthread_mutex_unlock(&c->writers);
}

int64_t clock_real_wait_ns(const struct clock *c, int64_t at_ns)
{
    struct setting s = load(c);
    int64_t now = shown_now(&s), left;
    if (at_ns <= now)
        return 0;
    if (__builtin_sub_overflow(at_ns, now, &left))
        left = INT64_MAX;
    if (!s.is_virtual || s.scale == 1)
        return left;
    if (s.scale == 0)
        return -1;
    int64_t wait = to_ns((long double)left / (long double)s.scale);
    return wait < INT64_MAX ? wait + 1 : wait; // rounded up, so that the time has come when the wait is over
}

int64_t clock_after(int64_t from_ns, int64_t ns)
{
    int64_t at;
    return __builtin_add_overflow(from_ns, ns, &at) ? INT64_MAX : at;
}

int64_t clock_days_after(int64_t from_ns, int64_t days)
{
    int64_t ns;
    return __builtin_mul_overflow(days, NS_PER_DAY, &ns) ? INT64_MAX : clock_after(from_ns, ns);
}
