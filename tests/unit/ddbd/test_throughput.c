// Throughput, billing mode and consumed capacity.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ddbd/capacity.h"
#include "ddbd/faults.h"
#include "ddbd/throughput.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)

static const struct fault *change(struct table_info *t, int64_t read, int64_t write, int64_t now, char *detail)
{
    struct throughput_wish wish = {.has_units = true, .read_units = read, .write_units = write};
    const struct fault *fault = throughput_begin(t, &wish, now, detail);
    if (!fault)
        throughput_finish(t, now);
    return fault;
}

static void the_old_units_are_in_force_until_the_table_is_active(void **state)
{
    (void)state;
    char detail[THROUGHPUT_DETAIL_SIZE];
    struct table_info t = {.status = TABLE_ACTIVE, .read_units = 10, .write_units = 10};
    struct throughput_wish wish = {.has_units = true, .read_units = 25, .write_units = 10};
    assert_null(throughput_begin(&t, &wish, HOUR, detail));
    assert_int_equal(t.status, TABLE_UPDATING);
    assert_int_equal(t.read_units, 10);
    throughput_finish(&t, HOUR + SECOND);
    assert_int_equal(t.status, TABLE_ACTIVE);
    assert_int_equal(t.read_units, 25);
    assert_int_equal(t.increased_ns, HOUR + SECOND);
    assert_int_equal(t.decreased_ns, 0);
}

static void the_same_units_are_refused(void **state)
{
    (void)state;
    char detail[THROUGHPUT_DETAIL_SIZE];
    struct table_info t = {.status = TABLE_ACTIVE, .read_units = 1, .write_units = 2};
    assert_ptr_equal(change(&t, 1, 2, HOUR, detail), &fault_validation);
    assert_string_equal(detail,
                        "The provisioned throughput for the table will not change. The requested value equals the "
                        "current value. Current ReadCapacityUnits provisioned for the table: 1. Requested "
                        "ReadCapacityUnits: 1. Current WriteCapacityUnits provisioned for the table: 2. Requested "
                        "WriteCapacityUnits: 2. Refer to the Amazon DynamoDB Developer Guide for current limits and "
                        "how to request higher limits.");
    assert_int_equal(t.status, TABLE_ACTIVE);
}

static void four_decreases_a_day_then_one_an_hour(void **state)
{
    (void)state;
    char detail[THROUGHPUT_DETAIL_SIZE];
    // Wednesday, July 25, 2018 12:21:56 PM UTC
    int64_t now = INT64_C(1532521316) * SECOND;
    struct table_info t = {.status = TABLE_ACTIVE, .read_units = 100, .write_units = 100};
    for (int i = 1; i <= 4; i++)
        assert_null(change(&t, 100 - i, 100, now, detail));
    assert_int_equal(t.decreases_today, 4);
    assert_ptr_equal(change(&t, 95, 100, now + HOUR - 1, detail), &fault_limit_exceeded);
    assert_non_null(strstr(detail,
                           "Number of decreases today: 4. Last decrease at Wednesday, July 25, 2018 12:21:56 PM "
                           "UTC. Next decrease can be made at Wednesday, July 25, 2018 1:21:56 PM UTC"));
    assert_null(change(&t, 200, 100, now + 1, detail)); // increases are free
    assert_null(change(&t, 95, 100, now + HOUR, detail));
    assert_int_equal(t.decreases_today, 5);
    assert_null(change(&t, 94, 100, now + 12 * HOUR, detail)); // the next UTC day
    assert_int_equal(t.decreases_today, 1);
}

static void an_inaccessible_table_stays_inaccessible(void **state)
{
    (void)state;
    char detail[THROUGHPUT_DETAIL_SIZE];
    struct table_info t = {.status = TABLE_INACCESSIBLE, .inaccessible_ns = 1, .read_units = 1, .write_units = 1};
    assert_null(change(&t, 2, 2, HOUR, detail));
    assert_int_equal(t.status, TABLE_INACCESSIBLE);
}

static void on_demand_and_back(void **state)
{
    (void)state;
    char detail[THROUGHPUT_DETAIL_SIZE];
    struct table_info t = {.status = TABLE_ACTIVE, .read_units = 5, .write_units = 5};
    struct throughput_wish wish = {.on_demand = true};
    assert_null(throughput_begin(&t, &wish, HOUR, detail));
    throughput_finish(&t, HOUR);
    assert_true(t.on_demand);
    assert_int_equal(t.on_demand_ns, HOUR);
    wish.has_units = true; // units for a table that stays on demand
    assert_ptr_equal(throughput_begin(&t, &wish, HOUR, detail), &fault_validation);
    assert_null(change(&t, 1, 1, 2 * HOUR, detail));
    assert_false(t.on_demand);
    assert_int_equal(t.decreases_today, 0); // from on demand down to 1 is no decrease
}

static void capacity_is_counted_in_the_services_units(void **state)
{
    (void)state;
    assert_int_equal(capacity_read_halves(0, false), 1);
    assert_int_equal(capacity_read_halves(0, true), 2);
    assert_int_equal(capacity_read_halves(4096, true), 2);
    assert_int_equal(capacity_read_halves(4097, false), 2);
    assert_int_equal(capacity_read_halves(4097, true), 4);
    assert_int_equal(capacity_write_halves(0), 2);
    assert_int_equal(capacity_write_halves(1024), 2);
    assert_int_equal(capacity_write_halves(1025), 4);
}

static const char *written(const char *asked, int64_t halves, struct buf *b)
{
    struct json_write w;
    json_write_init(&w, b);
    json_obj_begin(&w);
    capacity_write(&w, span_of(asked), "ratings", halves);
    json_obj_end(&w);
    return buf_str(b);
}

static void capacity_is_told_when_asked_for(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1024);
    assert_string_equal(written(NULL, 1, &b), "{}");
    buf_done(&b);
    assert_string_equal(written("NONE", 1, &b), "{}");
    buf_done(&b);
    assert_string_equal(written("TOTAL", 1, &b),
                        "{\"ConsumedCapacity\":{\"TableName\":\"ratings\",\"CapacityUnits\":0.5}}");
    buf_done(&b);
    assert_string_equal(written("INDEXES", 6, &b), "{\"ConsumedCapacity\":{\"TableName\":\"ratings\",\"CapacityUnits\":"
                                                   "3.0,\"Table\":{\"CapacityUnits\":3.0}}}");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_old_units_are_in_force_until_the_table_is_active),
        cmocka_unit_test(the_same_units_are_refused),
        cmocka_unit_test(four_decreases_a_day_then_one_an_hour),
        cmocka_unit_test(an_inaccessible_table_stays_inaccessible),
        cmocka_unit_test(on_demand_and_back),
        cmocka_unit_test(capacity_is_counted_in_the_services_units),
        cmocka_unit_test(capacity_is_told_when_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
