// Capacity units of item operations. Source: DynamoDB developer guide, "Read/write capacity mode".
#include "ddbd/capacity.h"

#define READ_UNIT 4096
#define WRITE_UNIT 1024

static int64_t units(size_t size, size_t unit)
{
    return size ? (int64_t)((size + unit - 1) / unit) : 1; // looking for nothing costs a unit, too
}

int64_t capacity_read_halves(size_t item_size, bool consistent)
{
    return units(item_size, READ_UNIT) * (consistent ? 2 : 1);
}

int64_t capacity_write_halves(size_t item_size)
{
    return units(item_size, WRITE_UNIT) * 2;
}

static void write_units(struct json_write *w, int64_t halves)
{
    struct buf b;
    buf_init(&b, 32);
    buf_append_i64(&b, halves / 2);
    buf_append_str(&b, halves % 2 ? ".5" : ".0");
    json_key(w, "CapacityUnits");
    json_raw(w, buf_span(&b));
    buf_done(&b);
}

void capacity_write(struct json_write *w, struct span asked, const char *table, int64_t halves)
{
    bool indexes = span_is(asked, "INDEXES");
    if (!indexes && !span_is(asked, "TOTAL"))
        return;
    json_key(w, "ConsumedCapacity");
    json_obj_begin(w);
    json_kcstr(w, "TableName", table);
    write_units(w, halves);
    if (indexes) {
        json_key(w, "Table");
        json_obj_begin(w);
        write_units(w, halves);
        json_obj_end(w);
    }
    json_obj_end(w);
}
