// Changes of throughput. op_update_table.c begins them, sse_work.c finishes them.
#include "ddbd/throughput.h"

#include <stdio.h>

#include "common/base/time_format.h"
#include "ddbd/faults.h"

#define DAY_NS (INT64_C(86400) * 1000000000)
#define HOUR_NS (INT64_C(3600) * 1000000000)
#define FREE_DECREASES 4

// "Wednesday, July 25, 2018 12:21:56 PM UTC"
static void long_time(int64_t ns, char out[64])
{
    static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    struct civil_time t = time_civil(ns);
    snprintf(out, 64, "%s, %s %d, %d %d:%02d:%02d %s UTC", days[t.weekday], months[t.month - 1], t.day, t.year,
             t.hour % 12 ? t.hour % 12 : 12, t.minute, t.second, t.hour < 12 ? "AM" : "PM");
}

static int64_t decreases_today(const struct table_info *t, int64_t now_ns)
{
    return t->decreases_day == now_ns / DAY_NS ? t->decreases_today : 0;
}

static const struct fault *check_decreases(const struct table_info *t, int64_t now_ns,
                                           char detail[THROUGHPUT_DETAIL_SIZE])
{
    int64_t n = decreases_today(t, now_ns);
    if (n < FREE_DECREASES || now_ns >= t->decreased_ns + HOUR_NS)
        return NULL;
    char last[64], next[64];
    long_time(t->decreased_ns, last);
    long_time(t->decreased_ns + HOUR_NS, next);
    snprintf(
        detail, THROUGHPUT_DETAIL_SIZE,
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After the "
        "first %d decreases, each subsequent decrease in the same UTC day can be performed at most once every 3600 "
        "seconds. Number of decreases today: %lld. Last decrease at %s. Next decrease can be made at %s",
        FREE_DECREASES, (long long)n, last, next);
    return &fault_limit_exceeded;
}

static const struct fault *unchanged(const struct table_info *t, char detail[THROUGHPUT_DETAIL_SIZE])
{
    snprintf(detail, THROUGHPUT_DETAIL_SIZE,
             "The provisioned throughput for the table will not change. The requested value equals the current value. "
             "Current ReadCapacityUnits provisioned for the table: %lld. Requested ReadCapacityUnits: %lld. Current "
             "WriteCapacityUnits provisioned for the table: %lld. Requested WriteCapacityUnits: %lld. Refer to the "
             "Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
             (long long)t->read_units, (long long)t->read_units, (long long)t->write_units, (long long)t->write_units);
    return &fault_validation;
}

const struct fault *throughput_begin(struct table_info *t, const struct throughput_wish *wish, int64_t now_ns,
                                     char detail[THROUGHPUT_DETAIL_SIZE])
{
    if (wish->on_demand && wish->has_units) {
        snprintf(detail, THROUGHPUT_DETAIL_SIZE,
                 "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
                 "specified when BillingMode is PAY_PER_REQUEST");
        return &fault_validation;
    }
    if (!wish->on_demand && !t->on_demand) {
        if (wish->read_units == t->read_units && wish->write_units == t->write_units)
            return unchanged(t, detail);
        if (wish->read_units < t->read_units || wish->write_units < t->write_units) {
            const struct fault *fault = check_decreases(t, now_ns, detail);
            if (fault)
                return fault;
        }
    }
    t->status = TABLE_UPDATING;
    t->throughput_pending = true;
    t->pending_on_demand = wish->on_demand;
    t->pending_read_units = wish->read_units;
    t->pending_write_units = wish->write_units;
    return NULL;
}

static void set_units(struct table_info *t, int64_t now_ns)
{
    bool up = t->pending_read_units > t->read_units || t->pending_write_units > t->write_units;
    bool down = t->pending_read_units < t->read_units || t->pending_write_units < t->write_units;
    if (!t->on_demand && up)
        t->increased_ns = now_ns;
    if (!t->on_demand && down) {
        t->decreases_today = decreases_today(t, now_ns) + 1;
        t->decreases_day = now_ns / DAY_NS;
        t->decreased_ns = now_ns;
    }
    t->read_units = t->pending_read_units;
    t->write_units = t->pending_write_units;
}

void throughput_finish(struct table_info *t, int64_t now_ns)
{
    t->status = t->inaccessible_ns ? TABLE_INACCESSIBLE : TABLE_ACTIVE;
    if (!t->throughput_pending)
        return;
    t->throughput_pending = false;
    if (t->pending_on_demand) {
        if (!t->on_demand)
            t->on_demand_ns = now_ns;
    } else {
        set_units(t, now_ns);
    }
    t->on_demand = t->pending_on_demand;
}
