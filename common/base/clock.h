// The daemon's time: real, or virtual (set, advanced, scaled) for tests, labs and fixtures. The only place that asks
// the machine for the time. All times are nanoseconds since 1970-01-01T00:00:00Z. Thread-safe.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_DAY (INT64_C(86400) * NS_PER_S)
// Where a virtual clock stops, so that INT64_MAX is never: dates that are not set, or lie beyond, do not come.
#define CLOCK_END_NS (INT64_MAX - 1)

struct clock;

struct clock_state {
    bool is_virtual;
    int64_t now_ns;
    double scale;        // virtual seconds per real second; 1 for a real clock, 0 stands still
    uint64_t generation; // grows with every change, and from one process to the next
};

struct clock *clock_new_real(void);
struct clock *clock_new_virtual(int64_t start_ns, double scale);
void clock_free(struct clock *c);

int64_t clock_now_ns(const struct clock *c);
struct clock_state clock_state(const struct clock *c);

// Changes of a virtual clock. clock_set() may go back; clock_advance() only forward. False for a real
// clock, a scale that is negative or not finite, a time that 64 bits cannot hold; nothing changes then.
bool clock_set(struct clock *c, int64_t now_ns);
bool clock_advance(struct clock *c, int64_t by_ns);
bool clock_set_scale(struct clock *c, double scale);
// ddbd: become what kmsd's clock is (real or virtual), generation included.
void clock_follow(struct clock *c, const struct clock_state *leader);
// Real nanoseconds until the clock shows at_ns: 0 when due, -1 when it never will (scale 0).
int64_t clock_real_wait_ns(const struct clock *c, int64_t at_ns);

// The time so much later; INT64_MAX, which is never, when 64 bits cannot hold it.
int64_t clock_after(int64_t from_ns, int64_t ns);
int64_t clock_days_after(int64_t from_ns, int64_t days);

int64_t clock_real_ns(void);      // wall clock, for signatures and the Date header
int64_t clock_monotonic_ns(void); // for timeouts
