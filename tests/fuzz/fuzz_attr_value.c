// Any JSON as an item: what is accepted must be well-formed bytes that write the same item again.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/json_read.h"
#include "ddbd/item.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(struct span item)
{
    struct buf text, again, why;
    buf_init(&text, 64u << 20);
    buf_init(&again, ITEM_MAX_ENCODED);
    buf_init(&why, 4096);
    struct json_write w;
    json_write_init(&w, &text);
    if (!attr_map_valid(item) || !attr_map_write(item, &w) || !buf_ok(&text))
        abort();
    json_t *v = json_read(buf_span(&text), NULL, 0);
    if (!v || attr_map_encode(v, &again, &why) != ATTR_OK || !span_eq(item, buf_span(&again)))
        abort();
    json_decref(v);
    buf_done(&text);
    buf_done(&again);
    buf_done(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct key_schema schema = {.hash = {"a", ATTR_S}, .range = {"b", ATTR_N}, .has_range = true};
    json_t *v = json_read((struct span){(const char *)data, size}, NULL, 0);
    if (!v)
        return 0;
    struct buf item, key, why;
    buf_init(&item, ITEM_MAX_ENCODED);
    buf_init(&key, KEY_ENC_MAX);
    buf_init(&why, 4096);
    enum attr_result r = attr_map_encode(v, &item, &why);
    if (r == ATTR_OK)
        r = item_check_size(buf_span(&item), &why);
    if (r == ATTR_OK) {
        write_again(buf_span(&item));
        struct attr_view hash, range;
        if (item_key(&schema, buf_span(&item), &key, &why) == ATTR_OK &&
            !key_decode(&schema, buf_span(&key), &hash, &range))
            abort();
    } else if (why.len == 0 && r != ATTR_NO_MEMORY) {
        abort();
    }
    json_decref(v);
    buf_done(&item);
    buf_done(&key);
    buf_done(&why);
    return 0;
}
