// The first phase of reading attribute values: shapes, as AWS's deserializer checks them (SerializationException),
// before any rule of DynamoDB's own. Called by attr_encode.c and by ops for whole bodies.
#include <string.h>
#include <strings.h>

#include "common/base/encode.h"
#include "common/base/json_read.h"
#include "ddbd/attr_internal.h"

static const char *const names[ATTR_TYPES] = {
    [ATTR_S] = "S",   [ATTR_N] = "N", [ATTR_B] = "B", [ATTR_SS] = "SS",     [ATTR_NS] = "NS",
    [ATTR_BS] = "BS", [ATTR_M] = "M", [ATTR_L] = "L", [ATTR_NULL] = "NULL", [ATTR_BOOL] = "BOOL",
};

const char *attr_type_name(enum attr_type type)
{
    return names[type];
}

bool attr_type_of(struct span name, enum attr_type *type)
{
    for (unsigned t = 0; t < ATTR_TYPES; t++) {
        if (span_is(name, names[t])) {
            *type = (enum attr_type)t;
            return true;
        }
    }
    return false;
}

static enum attr_result malformed(struct buf *why, const char *text)
{
    buf_append_str(why, text);
    return ATTR_MALFORMED;
}

// How AWS's parser calls a scalar that came where another was expected.
static const char *token_name(const json_t *v)
{
    if (json_is_true(v))
        return "TRUE_VALUE";
    if (json_is_false(v))
        return "FALSE_VALUE";
    return json_is_real(v) ? "DECIMAL_VALUE" : json_is_integer(v) ? "NUMBER_VALUE" : "STRING_VALUE";
}

static enum attr_result bad_scalar(const json_t *v, const char *java, const char *name, struct buf *why)
{
    if (json_is_array(v))
        buf_appendf(why, "Unrecognized collection type class java.%s", java);
    else if (json_is_object(v))
        buf_append_str(why, "Start of structure or map found where not expected");
    else
        buf_appendf(why, "%s cannot be converted to %s", token_name(v), name);
    return ATTR_MALFORMED;
}

static enum attr_result check_string(const json_t *v, struct buf *why)
{
    return json_is_string(v) || json_is_null(v) ? ATTR_OK : bad_scalar(v, "lang.String", "String", why);
}

// The alphabet everywhere, padding and spare bits in the last four characters.
static bool is_base64(struct span text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i + 4 < text.n; i++)
        if (!memchr(alphabet, text.p[i], sizeof alphabet - 1))
            return false;
    unsigned char scratch[6];
    size_t n;
    return !text.n || base64_decode((struct span){text.p + text.n - 4, 4}, scratch, &n);
}

// A null member is as good as absent, here and in every other check.
static enum attr_result check_blob(const json_t *v, struct buf *why)
{
    if (json_is_null(v))
        return ATTR_OK;
    if (json_is_array(v) || json_is_object(v))
        return bad_scalar(v, "nio.ByteBuffer", "", why);
    if (!json_is_string(v))
        return malformed(why, "only base-64-encoded strings are convertible to bytes");
    struct span text = json_span(v);
    if (text.n % 4) {
        buf_appendf(why, "Base64 encoded length is expected a multiple of 4 bytes but found: %zu", text.n);
        return ATTR_MALFORMED;
    }
    // AWS's own spelling.
    return is_base64(text) ? ATTR_OK : malformed(why, "Invalid last non-pad Base64 character dectected");
}

int attr_wire_bool(const json_t *v)
{
    if (json_is_boolean(v))
        return json_is_true(v);
    static const char *const words[][2] = {{"false", "true"}, {"0", "1"}, {"no", "yes"}};
    for (size_t i = 0; json_is_string(v) && i < sizeof words / sizeof *words; i++)
        for (int truth = 0; truth < 2; truth++)
            if (strcasecmp(json_string_value(v), words[i][truth]) == 0)
                return truth;
    return -1;
}

static enum attr_result check_bool(const json_t *v, struct buf *why)
{
    if (json_is_null(v) || attr_wire_bool(v) >= 0)
        return ATTR_OK;
    if (json_is_string(v))
        return malformed(why, "Unexpected token received from parser");
    return bad_scalar(v, "lang.Boolean", "Boolean", why);
}

static enum attr_result check_value(const json_t *value, struct buf *why);

static enum attr_result check_list(const json_t *list, enum attr_result (*check)(const json_t *, struct buf *),
                                   struct buf *why)
{
    if (json_is_null(list))
        return ATTR_OK;
    if (json_is_object(list))
        return malformed(why, "Start of structure or map found where not expected");
    if (!json_is_array(list))
        return malformed(why, "Unexpected field type");
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v)
    {
        enum attr_result r = check(v, why);
        if (r != ATTR_OK)
            return r;
    }
    return ATTR_OK;
}

enum attr_result attr_map_check_wire(const json_t *map, struct buf *why)
{
    if (!map || json_is_null(map))
        return ATTR_OK;
    if (json_is_array(map))
        return malformed(why, "Unrecognized collection type java.util.Map<java.lang.String, "
                              "com.amazonaws.dynamodb.v20120810.AttributeValue>");
    if (!json_is_object(map))
        return malformed(why, "Unexpected field type");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        enum attr_result r = check_value(value, why);
        if (r != ATTR_OK)
            return r;
    }
    return ATTR_OK;
}

static enum attr_result check_member(enum attr_type type, const json_t *v, struct buf *why)
{
    switch (type) {
    case ATTR_S:
    case ATTR_N:
        return check_string(v, why);
    case ATTR_B:
        return check_blob(v, why);
    case ATTR_SS:
    case ATTR_NS:
        return check_list(v, check_string, why);
    case ATTR_BS:
        return check_list(v, check_blob, why);
    case ATTR_L:
        return check_list(v, check_value, why);
    case ATTR_M:
        return attr_map_check_wire(v, why);
    case ATTR_NULL:
    case ATTR_BOOL:
    case ATTR_TYPES:
        break;
    }
    return check_bool(v, why);
}

// Depth is bounded by the JSON reader's own limit.
static enum attr_result check_value(const json_t *value, struct buf *why)
{
    if (json_is_null(value))
        return ATTR_OK;
    if (json_is_array(value))
        return malformed(why, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue");
    if (!json_is_object(value))
        return malformed(why, "Unexpected value type in payload");
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)value, name, member)
    {
        enum attr_type type;
        enum attr_result r = attr_type_of(span_of(name), &type) ? check_member(type, member, why) : ATTR_OK;
        if (r != ATTR_OK)
            return r;
    }
    return ATTR_OK;
}
