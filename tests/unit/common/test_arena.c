// An arena gives zeroed, aligned memory in any sizes, and gives the same memory again after a reset.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "common/base/arena.h"

static void fill(struct arena *a)
{
    for (size_t n = 0; n < 40000; n = n * 3 / 2 + 1) {
        unsigned char *p = arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xaa, n); // what the next allocation must not touch, and the next round not see
    }
}

static void test_zeroed_again_after_reset(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 3; round++) {
        fill(&a);
        arena_reset(&a);
    }
    arena_done(&a);
    arena_reset(&a);
    assert_null(a.chunks);
}

static void test_small_call_keeps_its_chunk(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    void *first = arena_alloc(&a, 100);
    arena_alloc(&a, 1 << 20);
    arena_reset(&a);
    assert_ptr_equal(arena_alloc(&a, 100), first);
    arena_done(&a);
}

static void test_large_ones_leave_neighbours_alone(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    char *large = memset(arena_alloc(&a, 100000), 'x', 100000);
    char *small = arena_strdup(&a, "small");
    char *larger = memset(arena_alloc(&a, 200000), 'y', 200000);
    char *last = arena_printf(&a, "%s-%d", small, 7);
    assert_string_equal(small, "small");
    assert_string_equal(last, "small-7");
    assert_int_equal(large[99999], 'x');
    assert_int_equal(larger[0], 'y');
    arena_done(&a);
}

static void test_texts(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    assert_string_equal(arena_strndup(&a, "alias/x", 5), "alias");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    char *wide = arena_printf(&a, "%05000d|", 1);
    assert_int_equal(strlen(wide), 5001);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_again_after_reset),
        cmocka_unit_test(test_small_call_keeps_its_chunk),
        cmocka_unit_test(test_large_ones_leave_neighbours_alone),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
