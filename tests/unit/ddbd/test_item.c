// Keys: refused in AWS's words, unique per item, and in DynamoDB's order within a partition.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/json_read.h"
#include "ddbd/item.h"

#define INV "One or more parameter values were invalid: "
#define NOT_VALID "One or more parameter values are not valid. "
#define MISMATCH "The provided key element does not match the schema"

static const struct key_schema hash_only = {.hash = {"pk", ATTR_S}};
static const struct key_schema s_n = {.hash = {"pk", ATTR_S}, .range = {"sk", ATTR_N}, .has_range = true};
static const struct key_schema b_s = {.hash = {"pk", ATTR_B}, .range = {"sk", ATTR_S}, .has_range = true};
static const struct key_schema n_b = {.hash = {"pk", ATTR_N}, .range = {"sk", ATTR_B}, .has_range = true};

typedef enum attr_result key_function(const struct key_schema *, struct span, struct buf *, struct buf *);

static enum attr_result key_of(key_function *f, const struct key_schema *schema, const char *text, struct buf *key,
                               struct buf *why)
{
    struct buf item;
    buf_init(&item, ITEM_MAX_ENCODED);
    buf_init(key, KEY_ENC_MAX);
    buf_init(why, 1000);
    json_t *v = json_read(span_of(text), NULL, 0);
    assert_non_null(v);
    enum attr_result r = attr_map_encode(v, &item, why);
    if (r == ATTR_OK)
        r = f(schema, buf_span(&item), key, why);
    json_decref(v);
    buf_done(&item);
    return r;
}

static void expect_refusal(key_function *f, const struct key_schema *schema, const char *text, const char *message)
{
    struct buf key, why;
    assert_int_equal(key_of(f, schema, text, &key, &why), ATTR_INVALID);
    assert_string_equal(buf_str(&why), message);
    buf_done(&key);
    buf_done(&why);
}

static void test_put_refusals(void **state)
{
    (void)state;
    expect_refusal(item_key, &hash_only, "{}", INV "Missing the key pk in the item");
    expect_refusal(item_key, &s_n, "{\"pk\":{\"S\":\"a\"}}", INV "Missing the key sk in the item");
    expect_refusal(item_key, &s_n, "{\"pk\":{\"N\":\"1\"},\"sk\":{\"N\":\"1\"}}",
                   INV "Type mismatch for key pk expected: S actual: N");
    expect_refusal(item_key, &s_n, "{\"pk\":{\"S\":\"1\"},\"sk\":{\"SS\":[\"1\"]}}",
                   INV "Type mismatch for key sk expected: N actual: SS");
    expect_refusal(item_key, &hash_only, "{\"pk\":{\"S\":\"\"}}",
                   NOT_VALID "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk");
    expect_refusal(item_key, &b_s, "{\"pk\":{\"B\":\"\"},\"sk\":{\"S\":\"x\"}}",
                   NOT_VALID "The AttributeValue for a key attribute cannot contain an empty binary value. Key: pk");
}

static void test_lookup_refusals(void **state)
{
    (void)state;
    expect_refusal(item_lookup_key, &hash_only, "{}", MISMATCH);
    expect_refusal(item_lookup_key, &hash_only, "{\"pk\":{\"S\":\"a\"},\"x\":{\"S\":\"a\"}}", MISMATCH);
    expect_refusal(item_lookup_key, &hash_only, "{\"pk\":{\"N\":\"1\"}}", MISMATCH);
    expect_refusal(item_lookup_key, &s_n, "{\"pk\":{\"S\":\"a\"}}", MISMATCH);
    expect_refusal(item_lookup_key, &s_n, "{\"pk\":{\"S\":\"a\"},\"x\":{\"N\":\"1\"}}", MISMATCH);
    expect_refusal(item_lookup_key, &hash_only, "{\"pk\":{\"S\":\"\"}}",
                   NOT_VALID "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk");
}

static enum attr_result sized(key_function *f, size_t hash, size_t range, struct buf *why)
{
    static char a[4000], b[4000];
    struct buf body, key;
    buf_init(&body, 10000);
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    buf_appendf(&body, "{\"sk\":{\"S\":\"%.*s\"},\"pk\":{\"B\":\"", (int)range, b);
    // "aaaa" is three bytes of binary.
    buf_append(&body, a, hash / 3 * 4);
    buf_append_str(&body, hash % 3 == 2 ? "AAA=\"}}" : hash % 3 == 1 ? "AA==\"}}" : "\"}}");
    enum attr_result r = key_of(f, &b_s, buf_str(&body), &key, why);
    buf_done(&body);
    buf_done(&key);
    return r;
}

static void test_key_limits_to_the_byte(void **state)
{
    (void)state;
    key_function *functions[] = {item_key, item_lookup_key};
    for (int i = 0; i < 2; i++) {
        struct buf why;
        assert_int_equal(sized(functions[i], 3, 1, &why), ATTR_OK);
        assert_int_equal(sized(functions[i], 2048, 1024, &why), ATTR_OK);
        assert_int_equal(sized(functions[i], 2049, 1024, &why), ATTR_INVALID);
        assert_string_equal(buf_str(&why), INV "Size of hashkey has exceeded the maximum size limit of2048 bytes");
        buf_done(&why);
        assert_int_equal(sized(functions[i], 2048, 1025, &why), ATTR_INVALID);
        assert_string_equal(buf_str(&why),
                            INV "Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
        buf_done(&why);
    }
}

static int order(const struct key_schema *schema, const char *a, const char *b)
{
    struct buf x, y, why;
    assert_int_equal(key_of(item_key, schema, a, &x, &why), ATTR_OK);
    assert_int_equal(key_of(item_lookup_key, schema, b, &y, &why), ATTR_OK);
    int r = span_cmp(buf_span(&x), buf_span(&y));
    buf_done(&x);
    buf_done(&y);
    return (r > 0) - (r < 0);
}

#define SN(n) "{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"" n "\"}}"
#define BS(s) "{\"pk\":{\"B\":\"AAAA\"},\"sk\":{\"S\":\"" s "\"}}"
#define NB(b) "{\"pk\":{\"N\":\"1.50\"},\"sk\":{\"B\":\"" b "\"}}"

static void test_sort_order(void **state)
{
    (void)state;
    assert_int_equal(order(&s_n, SN("-2"), SN("-1.5")), -1);
    assert_int_equal(order(&s_n, SN("9"), SN("10")), -1);
    assert_int_equal(order(&s_n, SN("10"), SN("1e1")), 0);
    assert_int_equal(order(&s_n, SN("0"), SN("1e-130")), -1);
    assert_int_equal(order(&b_s, BS("a"), BS("aa")), -1);
    assert_int_equal(order(&b_s, BS("Z"), BS("a")), -1);
    assert_int_equal(order(&b_s, BS("z"), BS("é")), -1);
    assert_int_equal(order(&b_s, BS("\\uffff"), BS("𝄞")), -1);
    assert_int_equal(order(&n_b, NB("fw=="), NB("gA==")), -1); // 0x7f < 0x80
    assert_int_equal(order(&n_b, NB("AA=="), NB("AAA=")), -1);
}

// Keys of different items differ even where one value runs into the next.
static void test_keys_are_unique(void **state)
{
    (void)state;
    static const struct key_schema s_s = {.hash = {"pk", ATTR_S}, .range = {"sk", ATTR_S}, .has_range = true};
    assert_int_not_equal(
        order(&s_s, "{\"pk\":{\"S\":\"ab\"},\"sk\":{\"S\":\"c\"}}", "{\"pk\":{\"S\":\"a\"},\"sk\":{\"S\":\"bc\"}}"), 0);
    struct buf x, y, why;
    assert_int_equal(key_of(item_key, &s_s, "{\"pk\":{\"S\":\"a\"},\"sk\":{\"S\":\"bc\"}}", &x, &why), ATTR_OK);
    buf_init(&y, 100);
    struct attr_view hash = {.type = ATTR_S, .bytes = SPAN("a")}, range;
    assert_true(key_encode_partition(&s_s, &hash, &y));
    assert_memory_equal(x.data, y.data, y.len);
    assert_true(key_decode(&s_s, buf_span(&x), &hash, &range));
    assert_true(span_is(hash.bytes, "a"));
    assert_true(span_is(range.bytes, "bc"));
    assert_false(key_decode(&s_s, (struct span){x.data, 2}, &hash, &range));
    assert_false(key_decode(&s_n, buf_span(&x), &hash, &range));
    buf_done(&x);
    buf_done(&y);
}

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_refusals),           cmocka_unit_test(test_lookup_refusals),
        cmocka_unit_test(test_key_limits_to_the_byte), cmocka_unit_test(test_sort_order),
        cmocka_unit_test(test_keys_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
