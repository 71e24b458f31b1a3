// Whatever json_read() takes, json_value() writes as JSON that reads back as an equal value and is written the same
// again. Also whatever bytes json_str() is given, it writes a JSON string.
#include <stdlib.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_read_setup();
    return 0;
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_value(struct span text)
{
    json_t *value = json_read(text, NULL, 0);
    if (!value)
        return;
    struct buf once, twice;
    struct json_write w;
    buf_init(&once, 1 << 24);
    buf_init(&twice, 1 << 24);
    json_write_init(&w, &once);
    json_value(&w, value);
    must(buf_ok(&once));
    json_t *again = json_read(buf_span(&once), NULL, 0);
    must(again && json_equal(value, again));
    json_write_init(&w, &twice);
    json_value(&w, again);
    must(span_eq(buf_span(&once), buf_span(&twice)));
    json_decref(value);
    json_decref(again);
    buf_done(&once);
    buf_done(&twice);
}

static void check_string(struct span text)
{
    struct buf b;
    struct json_write w;
    buf_init(&b, 1 << 24);
    json_write_init(&w, &b);
    json_str(&w, text);
    json_t *back = json_read(buf_span(&b), NULL, 0);
    must(json_is_string(back));
    json_t *valid = json_stringn(text.p, text.n); // NULL: not UTF-8
    must(!valid || json_equal(valid, back));
    json_decref(valid);
    json_decref(back);
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct span text = {(const char *)bytes, n};
    check_value(text);
    check_string(text);
    return 0;
}
