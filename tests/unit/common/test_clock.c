// The virtual clock does what it is told, the follower shows what the leader shows, and waits lead to the moment asked
// for. Clocks that stand still make the checks exact.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"

#define YEAR_S INT64_C(31536000)

static void test_set_and_advance(void **state)
{
    (void)state;
    struct clock *c = clock_new_virtual(1000, 0);
    assert_int_equal(clock_now_ns(c), 1000);
    assert_true(clock_advance(c, 300 * NS_PER_S));
    assert_int_equal(clock_now_ns(c), 1000 + 300 * NS_PER_S);
    assert_true(clock_set(c, 5)); // back in time
    assert_int_equal(clock_now_ns(c), 5);
    assert_false(clock_advance(c, -1));
    assert_false(clock_advance(c, INT64_MAX));
    assert_int_equal(clock_now_ns(c), 5);
    clock_free(c);
}

static void test_generation_counts_changes_only(void **state)
{
    (void)state;
    struct clock *c = clock_new_virtual(0, 0);
    uint64_t g = clock_state(c).generation;
    clock_advance(c, 0);
    clock_set(c, 7);
    clock_set_scale(c, 0);
    assert_int_equal(clock_state(c).generation, g + 3);
    clock_advance(c, -1);
    clock_set_scale(c, -1);
    clock_set_scale(c, NAN);
    clock_set_scale(c, INFINITY);
    assert_int_equal(clock_state(c).generation, g + 3);
    clock_free(c);
}

static void test_real_clock_refuses(void **state)
{
    (void)state;
    struct clock *c = clock_new_real();
    int64_t before = clock_real_ns(), now = clock_now_ns(c), after = clock_real_ns();
    assert_true(before <= now && now <= after);
    assert_false(clock_set(c, 0));
    assert_false(clock_advance(c, 1));
    assert_false(clock_set_scale(c, 2));
    struct clock_state s = clock_state(c);
    assert_false(s.is_virtual);
    assert_true(s.scale == 1);
    clock_free(c);
}

static void test_days_after(void **state)
{
    (void)state;
    assert_int_equal(clock_days_after(7, 2), 2 * NS_PER_DAY + 7);
    assert_int_equal(clock_after(5, NS_PER_S), NS_PER_S + 5);
    assert_int_equal(clock_after(CLOCK_END_NS, NS_PER_S), INT64_MAX);
    assert_int_equal(clock_days_after(INT64_MAX - NS_PER_DAY, 1), INT64_MAX);
    assert_int_equal(clock_days_after(INT64_MAX - NS_PER_DAY + 1, 1), INT64_MAX);
    assert_int_equal(clock_days_after(0, INT64_MAX), INT64_MAX);
}

// A scaled clock runs, never backward, and a change of scale makes no jump.
static void test_scale(void **state)
{
    (void)state;
    struct clock *c = clock_new_virtual(0, 1e6);
    int64_t start = clock_monotonic_ns(), shown = clock_now_ns(c);
    while (clock_monotonic_ns() == start)
        ;
    int64_t later = clock_now_ns(c);
    assert_true(later > shown);
    assert_true(clock_set_scale(c, 0));
    int64_t still = clock_now_ns(c);
    assert_true(still >= later);
    assert_int_equal(clock_now_ns(c), still);
    clock_free(c);
}

static void test_enormous_scale_ends_at_the_limit(void **state)
{
    (void)state;
    struct clock *c = clock_new_virtual(0, 1e300);
    int64_t start = clock_monotonic_ns();
    while (clock_monotonic_ns() == start)
        ;
    assert_int_equal(clock_now_ns(c), CLOCK_END_NS);
    assert_true(clock_set(c, INT64_MAX));
    assert_int_equal(clock_now_ns(c), CLOCK_END_NS);
    assert_int_equal(clock_state(c).now_ns, CLOCK_END_NS);
    clock_free(c);
}

static void test_follow(void **state)
{
    (void)state;
    struct clock *leader = clock_new_virtual(40 * YEAR_S * NS_PER_S, 0), *follower = clock_new_real();
    clock_advance(leader, 11);
    struct clock_state s = clock_state(leader);
    clock_follow(follower, &s);
    struct clock_state f = clock_state(follower);
    assert_true(f.is_virtual);
    assert_int_equal(f.now_ns, s.now_ns);
    assert_int_equal(f.generation, s.generation);
    assert_true(f.scale == 0);

    struct clock *real = clock_new_real();
    s = clock_state(real);
    clock_follow(follower, &s);
    assert_false(clock_state(follower).is_virtual);
    assert_true(clock_now_ns(follower) >= s.now_ns);
    clock_free(leader);
    clock_free(follower);
    clock_free(real);
}

static void test_real_wait(void **state)
{
    (void)state;
    struct clock *c = clock_new_virtual(1000, 0);
    assert_int_equal(clock_real_wait_ns(c, 1000), 0);
    assert_int_equal(clock_real_wait_ns(c, 999), 0);
    assert_int_equal(clock_real_wait_ns(c, 1001), -1);
    clock_set(c, INT64_MIN);
    assert_int_equal(clock_real_wait_ns(c, INT64_MAX), -1);
    clock_set(c, 0);
    clock_set_scale(c, 1000);
    // A year ahead at a thousand years a year: at most 8.76 hours, and some of it is left.
    int64_t wait = clock_real_wait_ns(c, YEAR_S * NS_PER_S);
    assert_true(wait > 0 && wait <= YEAR_S * NS_PER_S / 1000);
    clock_set_scale(c, 1e-9); // rounds up, and may be longer than there are nanoseconds
    assert_int_equal(clock_real_wait_ns(c, INT64_MAX), INT64_MAX);
    clock_free(c);

    c = clock_new_real();
    assert_int_equal(clock_real_wait_ns(c, 1), 0);
    assert_true(clock_real_wait_ns(c, clock_real_ns() + YEAR_S * NS_PER_S) > 0);
    clock_free(c);
}

struct race {
    struct clock *clock;
    uint64_t first; // generation
    atomic_bool stop;
};

// The writer keeps the time at 1000 for each generation since the first: a reader that saw half a change would see
// another sum.
static void *read_all_the_time(void *arg)
{
    struct race *r = arg;
    intptr_t wrong = 0;
    while (!atomic_load(&r->stop)) {
        struct clock_state s = clock_state(r->clock);
        wrong += s.now_ns != (int64_t)(s.generation - r->first) * 1000;
    }
    return (void *)wrong;
}

static void test_readers_see_whole_changes(void **state)
{
    (void)state;
    struct race r = {.clock = clock_new_virtual(0, 0)};
    pthread_t reader;
    void *wrong;
    r.first = clock_state(r.clock).generation;
    assert_int_equal(pthread_create(&reader, NULL, read_all_the_time, &r), 0);
    for (int i = 0; i < 20000; i++)
        clock_advance(r.clock, 1000);
    atomic_store(&r.stop, true);
    pthread_join(reader, &wrong);
    assert_null(wrong);
    clock_free(r.clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_advance),
        cmocka_unit_test(test_generation_counts_changes_only),
        cmocka_unit_test(test_real_clock_refuses),
        cmocka_unit_test(test_days_after),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_enormous_scale_ends_at_the_limit),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_real_wait),
        cmocka_unit_test(test_readers_see_whole_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
