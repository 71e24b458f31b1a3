// The catalogue's record of a table, as it comes back from the disk.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/json_read.h"
#include "ddbd/table_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int ready;
    if (!ready) {
        json_read_setup();
        ready = 1;
    }
    struct table_info *t = table_record_read((struct span){(const char *)data, size});
    if (!t)
        return 0;
    // What was read is written again in a form that is read as the same.
    struct buf b;
    buf_init(&b, 64 * 1024);
    struct table_info *again = table_record_write(&b, t) ? table_record_read(buf_span(&b)) : NULL;
    if (!again)
        abort();
    buf_done(&b);
    table_info_unref(again);
    table_info_unref(t);
    return 0;
}
