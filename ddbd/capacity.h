// ConsumedCapacity, as DynamoDB counts it: 4 KB a read unit (half when eventually consistent), 1 KB a write unit.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/json_write.h"

// In halves of a unit, so that 0.5 is exact.
int64_t capacity_read_halves(size_t item_size, bool consistent);
int64_t capacity_write_halves(size_t item_size);
// Writes "ConsumedCapacity": {…} as ReturnConsumedCapacity ("TOTAL", "INDEXES") asks for; nothing for "NONE" or
// nothing.
void capacity_write(struct json_write *w, struct span asked, const char *table, int64_t halves);
