// The second phase of reading attribute values: DynamoDB's own rules (ValidationException) and the bytes that tables
// keep. Called by item.c. Sentences as the service writes them, their slips included.
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/json_read.h"
#include "ddbd/attr_internal.h"
#include "ddbd/number.h"

#define INVALID "One or more parameter values were invalid: "

static enum attr_result invalid(struct buf *why, const char *text)
{
    buf_append_str(why, text);
    return ATTR_INVALID;
}

static enum attr_result written(const struct buf *out)
{
    return buf_ok(out) ? ATTR_OK : ATTR_NO_MEMORY;
}

bool attr_write_varint(struct buf *b, size_t v)
{
    while (v >= 0x80) {
        buf_append_char(b, (char)(v | 0x80));
        v >>= 7;
    }
    return buf_append_char(b, (char)v);
}

bool attr_write_string(struct buf *b, struct span s)
{
    attr_write_varint(b, s.n);
    return buf_append_span(b, s);
}

// A box's length is filled in when its content is there.
static size_t box_begin(struct buf *out)
{
    buf_append(out, "\0\0\0", 4);
    return out->len;
}

static void box_end(struct buf *out, size_t start)
{
    if (!buf_ok(out))
        return;
    size_t n = out->len - start;
    for (int i = 0; i < 4; i++)
        out->data[start - 4 + (size_t)i] = (char)(n >> (8 * i));
}

static enum attr_result encode_number(const json_t *v, struct buf *out, struct buf *why)
{
    struct span text = json_span(v);
    struct number n;
    enum number_error e = number_parse(text, &n);
    if (e != NUMBER_OK) {
        buf_append_str(why, number_error_text(e));
        if (e == NUMBER_NOT_NUMERIC && text.n) {
            buf_append_str(why, ": ");
            buf_append_span(why, text);
        }
        return ATTR_INVALID;
    }
    unsigned char bytes[NUMBER_ENC_MAX];
    buf_append(out, bytes, number_encode(&n, bytes));
    return written(out);
}

static enum attr_result encode_string(const json_t *v, struct buf *out, struct buf *why)
{
    if (json_is_null(v))
        return invalid(why, INVALID "An string set may not have a null string as a member");
    attr_write_string(out, json_span(v));
    return written(out);
}

// The decoded length is known from the text's, so that it can go in front.
static enum attr_result encode_binary(const json_t *v, struct buf *out, struct buf *why)
{
    if (json_is_null(v))
        return invalid(why, INVALID "Binary sets may not contain null values");
    struct span text = json_span(v);
    size_t n = text.n / 4 * 3;
    for (size_t i = 1; i <= 2 && text.n && text.p[text.n - i] == '='; i++)
        n--;
    attr_write_varint(out, n);
    char *to = buf_reserve(out, base64_decoded_max(text.n));
    if (!to)
        return ATTR_NO_MEMORY;
    size_t got;
    if (!base64_decode(text, (unsigned char *)to, &got) || got != n)
        return ATTR_NO_MEMORY; // cannot be: the first phase checked the text
    buf_commit(out, got);
    return ATTR_OK;
}

static int compare_spans(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

// AWS prints the whole set; a buffer too small for it gets the sentence alone.
static enum attr_result duplicates(enum attr_type type, const json_t *set, struct buf *why)
{
    if (type == ATTR_NS)
        return invalid(why, "Input collection contains duplicates");
    buf_append_str(why, INVALID "Input collection [");
    size_t i;
    const json_t *v;
    json_array_foreach(set, i, v)
    {
        buf_append_str(why, i ? ", \"" : "\"");
        buf_append_span(why, json_span(v));
        buf_append_char(why, '"');
    }
    buf_append_str(why, type == ATTR_BS ? "]of type BS contains duplicates." : "] contains duplicates.");
    if (!buf_ok(why)) {
        buf_reset(why, SIZE_MAX);
        buf_append_str(why, INVALID "Input collection contains duplicates.");
    }
    return ATTR_INVALID;
}

// Looks at the encoded elements: equal numbers have equal bytes, whatever they looked like on the wire.
static enum attr_result check_distinct(enum attr_type type, const json_t *set, struct span elements, struct buf *why)
{
    size_t n = json_array_size(set);
    struct span *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return ATTR_NO_MEMORY;
    bool same = false;
    for (size_t i = 0; i < n; i++) {
        struct number number;
        size_t used = 0;
        if (type != ATTR_NS) {
            same = !attr_read_string(&elements, &sorted[i]) || same;
        } else {
            same = !number_decode(elements, &number, &used) || same;
            attr_read_bytes(&elements, used, &sorted[i]);
        }
    }
    qsort(sorted, n, sizeof *sorted, compare_spans);
    for (size_t i = 1; i < n && !same; i++)
        same = span_eq(sorted[i - 1], sorted[i]);
    free(sorted);
    return same ? duplicates(type, set, why) : ATTR_OK;
}

static enum attr_result encode_set(enum attr_type type, const json_t *set, struct buf *out, struct buf *why)
{
    size_t n = json_array_size(set), start = box_begin(out);
    if (!n)
        return invalid(why, type == ATTR_SS   ? INVALID "An string set  may not be empty"
                            : type == ATTR_NS ? INVALID "An number set  may not be empty"
                                              : INVALID "Binary sets should not be empty");
    attr_write_varint(out, n);
    size_t first = out->len, i;
    const json_t *v;
    json_array_foreach(set, i, v)
    {
        enum attr_result r = type == ATTR_SS   ? encode_string(v, out, why)
                             : type == ATTR_NS ? encode_number(v, out, why)
                                               : encode_binary(v, out, why);
        if (r != ATTR_OK)
            return r;
    }
    box_end(out, start);
    struct span elements = {out->data + first, out->len - first};
    return n > 1 ? check_distinct(type, set, elements, why) : ATTR_OK;
}

static enum attr_result encode_map(const json_t *map, unsigned depth, struct buf *out, struct buf *why);
static enum attr_result encode_value(const json_t *value, unsigned depth, struct buf *out, struct buf *why);

static enum attr_result encode_list(const json_t *list, unsigned depth, struct buf *out, struct buf *why)
{
    attr_write_varint(out, json_array_size(list));
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v)
    {
        enum attr_result r = encode_value(v, depth, out, why);
        if (r != ATTR_OK)
            return r;
    }
    return written(out);
}

static enum attr_result encode_document(enum attr_type type, const json_t *v, unsigned depth, struct buf *out,
                                        struct buf *why)
{
    if (depth == ATTR_MAX_DEPTH)
        return invalid(why, "Nesting Levels have exceeded supported limits: "
                            "Attributes in the item have nested levels beyond supported limit");
    size_t start = box_begin(out);
    enum attr_result r = type == ATTR_M ? encode_map(v, depth + 1, out, why) : encode_list(v, depth + 1, out, why);
    box_end(out, start);
    return r;
}

static enum attr_result encode_bool(enum attr_type type, const json_t *v, struct buf *out)
{
    bool truth = attr_wire_bool(v) == 1;
    // {"NULL": false} is taken as {"NULL": true}: recorded from the service in 2026.
    if (truth && type == ATTR_BOOL && buf_ok(out))
        out->data[out->len - 1] |= ATTR_TRUE;
    return written(out);
}

static enum attr_result encode_member(enum attr_type type, const json_t *v, unsigned depth, struct buf *out,
                                      struct buf *why)
{
    buf_append_char(out, (char)type);
    switch (type) {
    case ATTR_S:
        return encode_string(v, out, why);
    case ATTR_N:
        return encode_number(v, out, why);
    case ATTR_B:
        return encode_binary(v, out, why);
    case ATTR_SS:
    case ATTR_NS:
    case ATTR_BS:
        return encode_set(type, v, out, why);
    case ATTR_M:
    case ATTR_L:
        return encode_document(type, v, depth, out, why);
    case ATTR_NULL:
    case ATTR_BOOL:
    case ATTR_TYPES:
        break;
    }
    return encode_bool(type, v, out);
}

// Each member is judged before their number is, as AWS does; unknown and null members do not count.
static enum attr_result encode_value(const json_t *value, unsigned depth, struct buf *out, struct buf *why)
{
    unsigned types = 0;
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)value, name, v)
    {
        enum attr_type type;
        if (json_is_null(v) || !attr_type_of(span_of(name), &type))
            continue;
        types++;
        enum attr_result r = encode_member(type, v, depth, out, why);
        if (r != ATTR_OK)
            return r;
    }
    if (types == 0)
        return invalid(why, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
    if (types > 1)
        return invalid(why, "Supplied AttributeValue has more than one datatypes set, "
                            "must contain exactly one of the supported datatypes");
    return written(out);
}

static enum attr_result encode_map(const json_t *map, unsigned depth, struct buf *out, struct buf *why)
{
    attr_write_varint(out, json_object_size(map));
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        struct span key = span_of(name);
        if (!key.n)
            return invalid(why, "Empty attribute name");
        if (key.n > ATTR_NAME_MAX)
            return invalid(why, "Attribute name is too large, must be less than 65536 bytes");
        attr_write_string(out, key);
        enum attr_result r = encode_value(value, depth, out, why);
        if (r != ATTR_OK)
            return r;
    }
    return written(out);
}

enum attr_result attr_map_encode(const json_t *map, struct buf *out, struct buf *why)
{
    enum attr_result r = attr_map_check_wire(map, why);
    return r == ATTR_OK ? encode_map(map, 1, out, why) : r;
}
