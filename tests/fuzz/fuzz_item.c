// Any bytes as an encoded item and as a key: the readers stay inside and agree with one another.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ddbd/attr_value.h"
#include "ddbd/key_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct buf text;
    buf_init(&text, 64u << 20);
    struct json_write w;
    json_write_init(&w, &text);
    bool valid = attr_map_valid(bytes);
    if (attr_map_write(bytes, &w) != valid)
        abort();
    struct attr_view v;
    attr_map_find(bytes, SPAN("a"), &v);
    if (attr_map_size(bytes) && !valid)
        abort();
    buf_done(&text);
    for (unsigned i = 0; i < 9; i++) {
        static const enum attr_type types[] = {ATTR_S, ATTR_N, ATTR_B};
        struct key_schema schema = {.hash = {"a", types[i / 3]}, .range = {"b", types[i % 3]}, .has_range = size % 2};
        struct attr_view hash, range;
        struct buf key;
        buf_init(&key, size + 16);
        if (key_decode(&schema, bytes, &hash, &range) &&
            (!key_encode(&schema, &hash, &range, &key) || !span_eq(bytes, buf_span(&key))))
            abort();
        buf_done(&key);
    }
    return 0;
}
