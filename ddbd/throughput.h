// Provisioned throughput and billing mode as rules: pure.
// Source: DynamoDB developer guide, "Service, account, and table quotas"; sentences as recorded from the service.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/fault.h"
#include "ddbd/table_info.h"

#define THROUGHPUT_DETAIL_SIZE 640

struct throughput_wish {
    bool on_demand; // the billing mode asked for, or the table's own
    bool has_units;
    int64_t read_units, write_units;
};

// UpdateTable: checks, and makes the table UPDATING with the wish pending.
MUST_CHECK const struct fault *throughput_begin(struct table_info *t, const struct throughput_wish *wish,
                                                int64_t now_ns, char detail[THROUGHPUT_DETAIL_SIZE]);
// The change is done: the pending values are in force, the table is ACTIVE (or inaccessible) again.
void throughput_finish(struct table_info *t, int64_t now_ns);
