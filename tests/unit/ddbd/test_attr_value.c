// Attribute values: what goes in comes out as DynamoDB answers it; what is wrong is refused in AWS's words; damaged
// bytes are noticed and never read beyond.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/json_read.h"
#include "ddbd/attr_value.h"
#include "ddbd/item.h"

#define EMPTY "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
#define MANY                                                                                                           \
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
#define INV "One or more parameter values were invalid: "
#define CLASH "Input collection contains duplicates"

static json_t *json_of(const char *text)
{
    char why[200];
    json_t *v = json_read(span_of(text), why, sizeof why);
    assert_non_null(v);
    return v;
}

static enum attr_result encode(const char *text, struct buf *item, struct buf *why)
{
    buf_init(item, ITEM_MAX_ENCODED);
    buf_init(why, 4096);
    json_t *v = json_of(text);
    enum attr_result r = attr_map_encode(v, item, why);
    json_decref(v);
    return r;
}

static void expect_wire(const char *in, const char *out)
{
    struct buf item, why, text;
    assert_int_equal(encode(in, &item, &why), ATTR_OK);
    assert_true(attr_map_valid(buf_span(&item)));
    buf_init(&text, 1 << 20);
    struct json_write w;
    json_write_init(&w, &text);
    assert_true(attr_map_write(buf_span(&item), &w));
    assert_string_equal(buf_str(&text), out);
    buf_done(&item);
    buf_done(&why);
    buf_done(&text);
}

static void expect_refusal(const char *value, enum attr_result result, const char *message)
{
    struct buf item, why, body;
    buf_init(&body, 1 << 20);
    buf_appendf(&body, "{\"a\":%s}", value);
    assert_int_equal(encode(buf_str(&body), &item, &why), result);
    assert_string_equal(buf_str(&why), message);
    buf_done(&item);
    buf_done(&why);
    buf_done(&body);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{}",
        "{\"a\":{\"S\":\"\"}}",
        "{\"a\":{\"S\":\"x\"},\"b\":{\"N\":\"-1.5\"},\"c\":{\"B\":\"AAEC\"},\"d\":{\"B\":\"\"}}",
        "{\"a\":{\"BOOL\":true},\"b\":{\"BOOL\":false},\"c\":{\"NULL\":true}}",
        "{\"a\":{\"SS\":[\"z\",\"\",\"a\"]},\"b\":{\"NS\":[\"3\",\"-2\",\"0\"]}}",
        "{\"c\":{\"BS\":[\"AA==\",\"\",\"AQ==\"]}}",
        "{\"a\":{\"L\":[]},\"b\":{\"M\":{}},\"c\":{\"L\":[{\"M\":{\"x\":{\"L\":[{\"NULL\":true}]}}}]}}",
        "{\"naïve ✓\":{\"S\":\"𝄞 \\\"quoted\\\" \\\\ \\n\"}}",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        expect_wire(same[i], same[i]);
    expect_wire("{\"a\":{\"N\":\"0042.1200\"},\"b\":{\"NS\":[\"1e2\",\"-0\"]}}",
                "{\"a\":{\"N\":\"42.12\"},\"b\":{\"NS\":[\"100\",\"0\"]}}");
    expect_wire("{\"a\":{\"BOOL\":\"yes\"},\"b\":{\"S\":null,\"N\":\"1\",\"X\":{}}}",
                "{\"a\":{\"BOOL\":true},\"b\":{\"N\":\"1\"}}");
}

static void test_invalid_values(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{}", EMPTY},
        {"null", EMPTY},
        {"{\"a\":\"\"}", EMPTY},
        {"{\"M\":{\"a\":{}}}", EMPTY},
        {"{\"L\":[{}]}", EMPTY},
        {"{\"L\":[null]}", EMPTY},
        {"{\"S\":\"a\",\"N\":\"1\"}", MANY},
        {"{\"SS\":[]}", INV "An string set  may not be empty"},
        {"{\"NS\":[]}", INV "An number set  may not be empty"},
        {"{\"BS\":[]}", INV "Binary sets should not be empty"},
        {"{\"SS\":[\"a\",\"b\",\"a\"]}", INV "Input collection [\"a\", \"b\", \"a\"] contains duplicates."},
        {"{\"SS\":[\"\",\"\"]}", INV "Input collection [\"\", \"\"] contains duplicates."},
        {"{\"BS\":[\"Yg==\",\"Yg==\"]}", INV "Input collection [\"Yg==\", \"Yg==\"]of type BS contains duplicates."},
        {"{\"NS\":[\"1\",\"2\",\"1.0\"]}", CLASH},
        {"{\"M\":{\"x\":{\"SS\":[]}}}", INV "An string set  may not be empty"},
        {"{\"SS\":[null]}", INV "An string set may not have a null string as a member"},
        {"{\"BS\":[null]}", INV "Binary sets may not contain null values"},
        {"{\"N\":\"\"}", "The parameter cannot be converted to a numeric value"},
        {"{\"S\":\"a\",\"N\":\"b\"}", "The parameter cannot be converted to a numeric value: b"},
        {"{\"NS\":[\"1\",\"b\"]}", "The parameter cannot be converted to a numeric value: b"},
        {"{\"NS\":[\"\"]}", "The parameter cannot be converted to a numeric value"},
        {"{\"N\":\"123456789012345678901234567890123456789\"}",
         "Attempting to store more than 38 significant digits in a Number"},
        {"{\"N\":\"1e126\"}",
         "Number overflow. Attempting to store a number with magnitude larger than supported range"},
        {"{\"N\":\"1e-131\"}",
         "Number underflow. Attempting to store a number with magnitude smaller than supported range"},
        {"{\"M\":{\"\":{\"S\":\"x\"}}}", "Empty attribute name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refusal(rows[i][0], ATTR_INVALID, rows[i][1]);
}

static void test_malformed_wire(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"\"x\"", "Unexpected value type in payload"},
        {"[]", "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"},
        {"{\"S\":23}", "NUMBER_VALUE cannot be converted to String"},
        {"{\"N\":34.5}", "DECIMAL_VALUE cannot be converted to String"},
        {"{\"S\":true}", "TRUE_VALUE cannot be converted to String"},
        {"{\"S\":[]}", "Unrecognized collection type class java.lang.String"},
        {"{\"S\":{}}", "Start of structure or map found where not expected"},
        {"{\"B\":1}", "only base-64-encoded strings are convertible to bytes"},
        {"{\"B\":[]}", "Unrecognized collection type class java.nio.ByteBuffer"},
        {"{\"B\":\"23456\"}", "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
        {"{\"B\":\"=+/=\"}", "Invalid last non-pad Base64 character dectected"},
        {"{\"B\":\"+/+=\"}", "Invalid last non-pad Base64 character dectected"},
        {"{\"B\":\"Yg==Yg==\"}", "Invalid last non-pad Base64 character dectected"},
        {"{\"BOOL\":\"maybe\"}", "Unexpected token received from parser"},
        {"{\"BOOL\":1}", "NUMBER_VALUE cannot be converted to Boolean"},
        {"{\"NULL\":[]}", "Unrecognized collection type class java.lang.Boolean"},
        {"{\"SS\":\"a\"}", "Unexpected field type"},
        {"{\"SS\":{}}", "Start of structure or map found where not expected"},
        {"{\"NS\":[1]}", "NUMBER_VALUE cannot be converted to String"},
        {"{\"L\":[1]}", "Unexpected value type in payload"},
        {"{\"M\":1}", "Unexpected field type"},
        // The shape of the whole body comes before any rule.
        {"{\"M\":{\"x\":{\"SS\":[]},\"y\":{\"S\":false}}}", "FALSE_VALUE cannot be converted to String"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refusal(rows[i][0], ATTR_MALFORMED, rows[i][1]);
    struct buf item, why;
    assert_int_equal(encode("[]", &item, &why), ATTR_MALFORMED);
    buf_done(&why);
    assert_int_equal(encode("7", &item, &why), ATTR_MALFORMED);
    buf_done(&why);
}

static void nested(struct buf *b, int wraps)
{
    buf_init(b, 1 << 16);
    for (int i = 0; i < wraps; i++)
        buf_append_str(b, i % 2 ? "{\"L\":[" : "{\"M\":{\"n\":");
    buf_append_str(b, "{\"S\":\"leaf\"}");
    for (int i = wraps; i-- > 0;)
        buf_append_str(b, i % 2 ? "]}" : "}}");
}

static void test_nesting(void **state)
{
    (void)state;
    struct buf deep, item;
    nested(&deep, 31);
    buf_init(&item, 1 << 16);
    buf_appendf(&item, "{\"a\":%s}", buf_str(&deep));
    expect_wire(buf_str(&item), buf_str(&item));
    buf_done(&item);
    buf_done(&deep);
    nested(&deep, 32);
    expect_refusal(buf_str(&deep), ATTR_INVALID,
                   "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "
                   "supported limit");
    buf_done(&deep);
}

static void test_size(void **state)
{
    (void)state;
    static const struct {
        const char *item;
        size_t size;
    } rows[] = {
        {"{\"id\":{\"S\":\"abc\"}}", 5},
        {"{\"n\":{\"N\":\"12345\"}}", 5},
        {"{\"flag\":{\"BOOL\":true}}", 5},
        {"{\"z\":{\"NULL\":true}}", 2},
        {"{\"l\":{\"L\":[{\"S\":\"xy\"}]}}", 1 + 3 + 1 + 2},
        {"{\"m\":{\"M\":{\"k\":{\"S\":\"xy\"}}}}", 1 + 3 + 1 + 1 + 2},
        {"{\"s\":{\"SS\":[\"ab\",\"c\"]}}", 4},
        {"{\"s\":{\"NS\":[\"1\",\"-22\"]}}", 1 + 2 + 3},
        {"{\"b\":{\"B\":\"AAEC\"}}", 4},
        {"{\"é\":{\"S\":\"é\"}}", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf item, why;
        assert_int_equal(encode(rows[i].item, &item, &why), ATTR_OK);
        assert_int_equal(attr_map_size(buf_span(&item)), rows[i].size);
        buf_done(&item);
    }
}

static enum attr_result encode_item_of(size_t letters, struct buf *why)
{
    struct buf item;
    buf_init(&item, ITEM_MAX_ENCODED);
    buf_init(why, 4096);
    char *text = malloc(letters + 1);
    memset(text, 'x', letters);
    text[letters] = '\0';
    json_t *map = json_pack("{s{ss}s{ss}}", "pk", "S", "k", "p", "S", text);
    enum attr_result r = attr_map_encode(map, &item, why);
    if (r == ATTR_OK)
        r = item_check_size(buf_span(&item), why);
    json_decref(map);
    free(text);
    buf_done(&item);
    return r;
}

static void test_item_limit_to_the_byte(void **state)
{
    (void)state;
    struct buf why;
    assert_int_equal(encode_item_of(409600 - 4, &why), ATTR_OK);
    assert_int_equal(encode_item_of(409600 - 3, &why), ATTR_INVALID);
    assert_string_equal(buf_str(&why), "Item size has exceeded the maximum allowed size");
    buf_done(&why);
}

static void test_find(void **state)
{
    (void)state;
    struct buf item, why;
    assert_int_equal(encode("{\"a\":{\"L\":[{\"S\":\"b\"}]},\"b\":{\"S\":\"hit\"}}", &item, &why), ATTR_OK);
    struct attr_view v;
    assert_true(attr_map_find(buf_span(&item), SPAN("b"), &v));
    assert_int_equal(v.type, ATTR_S);
    assert_true(span_is(v.bytes, "hit"));
    assert_false(attr_map_find(buf_span(&item), SPAN("c"), &v));
    buf_done(&item);
}

// Every prefix and every changed byte of an encoded item: the readers must stay inside (the sanitizers watch) and a
// prefix is never valid.
static void test_damaged_bytes(void **state)
{
    (void)state;
    struct buf item, why;
    assert_int_equal(encode("{\"a\":{\"S\":\"x\"},\"b\":{\"NS\":[\"-1.5\",\"20\"]},\"c\":{\"BS\":[\"AAEC\"]},"
                            "\"d\":{\"M\":{\"x\":{\"L\":[{\"NULL\":true},{\"BOOL\":true}]}}}}",
                            &item, &why),
                     ATTR_OK);
    for (size_t n = 0; n < item.len; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, item.data, n);
        assert_false(attr_map_valid((struct span){copy, n}));
        free(copy);
    }
    for (size_t at = 0; at < item.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            char *copy = malloc(item.len);
            memcpy(copy, item.data, item.len);
            copy[at] ^= (char)(1 << bit);
            struct buf text;
            buf_init(&text, 1 << 20);
            struct json_write w;
            json_write_init(&w, &text);
            bool valid = attr_map_valid((struct span){copy, item.len});
            assert_int_equal(attr_map_write((struct span){copy, item.len}, &w), valid);
            buf_done(&text);
            free(copy);
        }
    }
    buf_done(&item);
}

static void test_small_buffers_are_reported(void **state)
{
    (void)state;
    json_t *v = json_of("{\"a\":{\"S\":\"xxxxxxxxxxxxxxxx\"},\"b\":{\"NS\":[\"1\",\"2\"]},\"c\":{\"B\":\"AAECAwQF\"}}");
    struct buf item, why;
    buf_init(&why, 100);
    buf_init(&item, 1000);
    assert_int_equal(attr_map_encode(v, &item, &why), ATTR_OK);
    size_t whole = item.len;
    buf_done(&item);
    for (size_t max = 0; max < whole; max++) {
        buf_init(&item, max);
        assert_int_equal(attr_map_encode(v, &item, &why), ATTR_NO_MEMORY);
        buf_done(&item);
    }
    json_decref(v);
    // A set that is too long for the message buffer still yields a sentence.
    v = json_of("{\"a\":{\"SS\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
                "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]}}");
    buf_init(&item, 1000);
    assert_int_equal(attr_map_encode(v, &item, &why), ATTR_INVALID);
    assert_string_equal(buf_str(&why), INV "Input collection contains duplicates.");
    json_decref(v);
    buf_done(&item);
    buf_done(&why);
}

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_invalid_values),
        cmocka_unit_test(test_malformed_wire),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_item_limit_to_the_byte),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_small_buffers_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
