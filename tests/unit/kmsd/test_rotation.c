// The dates of rotation, and how one material takes the place of another.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/clock.h"
#include "kmsd/rotation.h"

static struct key *key;
static struct rng *rng;

static int setup(void **state)
{
    (void)state;
    rng = rng_new(NULL);
    key = key_new("111122223333", SPAN("us-east-1"), "1234abcd-12ab-34cd-56ef-1234567890ab");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    key_free(key, NULL);
    rng_free(rng);
    return 0;
}

static struct key_material *add(enum material_state state)
{
    struct secret bytes;
    assert_true(secret_copy(&bytes, "0123456789abcdef0123456789abcdef", 32));
    return key_add_material(key, rng, &bytes, state, 1);
}

static void test_dates(void **state)
{
    (void)state;
    assert_int_equal(rotation_due(key), INT64_MAX);
    assert_false(rotation_enabled(key));
    rotation_enable(key, 90, 5);
    assert_int_equal(rotation_due(key), 5 + 90 * NS_PER_DAY);
    assert_true(rotation_enabled(key));
    rotation_enable(key, 180, 7); // another period, from now
    assert_int_equal(rotation_due(key), 7 + 180 * NS_PER_DAY);
    rotation_disable(key);
    assert_int_equal(rotation_due(key), INT64_MAX);
    assert_false(rotation_enabled(key));
    rotation_enable(key, 2560, INT64_MAX - NS_PER_DAY); // beyond what the clock can show
    assert_int_equal(rotation_due(key), INT64_MAX);
}

static void test_states(void **state)
{
    (void)state;
    static const bool works[KEY_STATES] = {[KEY_ENABLED] = true, [KEY_UPDATING] = true};
    rotation_enable(key, 90, 0);
    for (int s = 0; s < KEY_STATES; s++) {
        key->state = (enum key_state)s;
        assert_int_equal(rotation_due(key), works[s] ? 90 * NS_PER_DAY : INT64_MAX);
        assert_int_equal(rotation_enabled(key), s != KEY_PENDING_DELETION && s != KEY_PENDING_REPLICA_DELETION);
    }
    key->state = KEY_ENABLED;
    key->multi_region = MULTI_REGION_PRIMARY;
    assert_int_equal(rotation_due(key), 90 * NS_PER_DAY);
    key->multi_region = MULTI_REGION_REPLICA; // follows its primary key
    assert_int_equal(rotation_due(key), INT64_MAX);
    assert_true(rotation_enabled(key));
}

static void test_resuming(void **state)
{
    (void)state;
    rotation_resume(key, 1);
    assert_int_equal(rotation_due(key), INT64_MAX);
    rotation_enable(key, 90, 0);
    rotation_resume(key, 90 * NS_PER_DAY - 1); // in time: the schedule stays
    assert_int_equal(rotation_due(key), 90 * NS_PER_DAY);
    rotation_resume(key, 200 * NS_PER_DAY); // late: at once
    assert_int_equal(rotation_due(key), 200 * NS_PER_DAY);
}

static void test_on_demand(void **state)
{
    (void)state;
    key->on_demand_ns = 17;
    for (int s = 0; s < KEY_STATES; s++) {
        key->state = (enum key_state)s;
        assert_int_equal(rotation_due(key), INT64_MIN);
    }
}

static void test_materials(void **state)
{
    (void)state;
    struct key_material *first = add(MATERIAL_CURRENT);
    assert_null(rotation_pending(key));
    assert_int_equal(first->rotation, ROTATION_NONE);
    struct key_material *second = add(MATERIAL_NON_CURRENT);
    rotation_make_current(key, second, ROTATION_AUTOMATIC, 9);
    assert_ptr_equal(key_current(key), second);
    assert_int_equal(first->state, MATERIAL_NON_CURRENT);
    assert_int_equal(second->rotation, ROTATION_AUTOMATIC);
    assert_int_equal(second->rotated_ns, 9);
    struct key_material *imported = add(MATERIAL_PENDING_ROTATION);
    assert_ptr_equal(rotation_pending(key), imported);
    assert_ptr_equal(key_current(key), second);
    rotation_make_current(key, imported, ROTATION_ON_DEMAND, 11);
    assert_null(rotation_pending(key));
    assert_ptr_equal(key_current(key), imported);
    assert_int_equal(second->state, MATERIAL_NON_CURRENT);
    add(MATERIAL_PENDING_MULTI_REGION_IMPORT_AND_ROTATION); // not everywhere yet
    assert_null(rotation_pending(key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_states, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resuming, setup, teardown),
        cmocka_unit_test_setup_teardown(test_on_demand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_materials, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
