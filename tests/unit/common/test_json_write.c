// What the writer writes is JSON that reads back as what was meant, whatever bytes come in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"

struct writer {
    struct buf b;
    struct json_write w;
};

static struct json_write *start(struct writer *t)
{
    buf_init(&t->b, 1 << 20);
    json_write_init(&t->w, &t->b);
    return &t->w;
}

static void assert_written(struct writer *t, const char *expected)
{
    assert_string_equal(buf_str(&t->b), expected);
    buf_done(&t->b);
}

static void test_commas(void **state)
{
    (void)state;
    struct writer t;
    struct json_write *w = start(&t);
    json_obj_begin(w);
    json_key(w, "empty");
    json_obj_begin(w);
    json_obj_end(w);
    json_key(w, "list");
    json_arr_begin(w);
    json_arr_begin(w);
    json_arr_end(w);
    json_i64(w, 1);
    json_bool(w, true);
    json_none(w);
    json_raw(w, SPAN("{\"raw\":1}"));
    json_obj_begin(w);
    json_kbool(w, "no", false);
    json_obj_end(w);
    json_cstr(w, "x");
    json_arr_end(w);
    json_kcstr(w, "absent", NULL);
    json_kcstr(w, "text", "t");
    json_kstr(w, "none", (struct span){NULL, 0});
    json_ki64(w, "n", -5);
    json_key(w, "blob");
    json_base64(w, SPAN("foob"));
    json_key_span(w, SPAN("k\"y"));
    json_epoch(w, INT64_C(1552353132722000000));
    json_obj_end(w);
    assert_written(&t, "{\"empty\":{},\"list\":[[],1,true,null,{\"raw\":1},{\"no\":false},\"x\"],\"text\":\"t\","
                       "\"none\":\"\",\"n\":-5,\"blob\":\"Zm9vYg==\",\"k\\\"y\":1552353132.722}");
}

static void test_escapes(void **state)
{
    (void)state;
    struct writer t;
    json_str(start(&t), SPAN("q\" b\\ /\b\f\n\r\t\x01\x1f\x7f \0 end"));
    assert_written(&t, "\"q\\\" b\\\\ /\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \\u0000 end\"");
}

// Each byte at each distance from the end, so that the fast path's whole words and its tail both meet it.
static void test_every_byte_everywhere(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++)
        for (size_t n = 1; n <= 20; n++)
            for (size_t at = 0; at < n; at++) {
                char text[20];
                struct writer t;
                memset(text, 'a', sizeof text);
                text[at] = (char)c;
                json_str(start(&t), (struct span){text, n});
                json_t *back = json_read(buf_span(&t.b), NULL, 0);
                assert_true(span_eq(json_span(back), (struct span){text, n}));
                json_decref(back);
                buf_done(&t.b);
            }
}

static void test_utf8(void **state)
{
    (void)state;
#define BAD "\xef\xbf\xbd"
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
         "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"},
        {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
        {"a\x80z", "a" BAD "z"},
        {"\xff\xfe", BAD BAD},
        {"\xc0\xaf", BAD BAD},                 // overlong
        {"\xe0\x80\xaf", BAD BAD BAD},         // overlong
        {"\xed\xa0\x80", BAD BAD BAD},         // surrogate
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD}, // above U+10FFFF
        {"\xe2\x82", BAD},                     // cut short
        {"\xf0\x9f\x98z", BAD "z"},
        {"\xc3\"", BAD "\\\""},
        {"\xe2\x82\xc3\xa9", BAD "\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[64];
        struct writer t;
        snprintf(expected, sizeof expected, "\"%s\"", rows[i].out);
        json_cstr(start(&t), rows[i].in);
        assert_written(&t, expected);
    }
#undef BAD
}

static void test_numbers(void **state)
{
    (void)state;
    struct writer t;
    struct json_write *w = start(&t);
    json_arr_begin(w);
    json_i64(w, 0);
    json_i64(w, INT64_MAX);
    json_i64(w, INT64_MIN);
    json_epoch(w, 0);
    json_epoch(w, 999999);
    json_epoch(w, -1);
    json_epoch(w, -1500000000);
    json_epoch(w, INT64_MAX);
    json_epoch(w, INT64_MIN);
    json_epoch(w, INT64_C(1552353132000000000));
    json_arr_end(w);
    assert_written(&t, "[0,9223372036854775807,-9223372036854775808,0.000,0.000,-0.001,-1.500,9223372036.854,"
                       "-9223372036.855,1552353132.000]");
}

static void assert_round_trip(const char *text)
{
    struct writer t;
    json_t *value = json_read(span_of(text), NULL, 0);
    assert_non_null(value);
    json_value(start(&t), value);
    json_decref(value);
    assert_written(&t, text);
}

static void test_value(void **state)
{
    (void)state;
    assert_round_trip("{\"z\":1,\"a\":[true,false,null,[],{}],\"s\":\"\\u0000\\n\xc3\xa9\",\"\":\"\"}");
    assert_round_trip("[0.1,1.0,-2.5,1e+100,0.30000000000000004,1e-07,-0.0]");
    assert_round_trip("[-9223372036854775808,9223372036854775807]");
    assert_round_trip("null");
    assert_round_trip("\"text\"");
}

static void test_ceiling(void **state)
{
    (void)state;
    for (size_t max = 0; max < 40; max++) {
        struct writer t;
        struct json_write *w = start(&t);
        t.b.max = max;
        json_obj_begin(w);
        json_kcstr(w, "key", "text\n\xff");
        json_ki64(w, "n", 12);
        json_key(w, "b");
        json_base64(w, SPAN("abcd"));
        json_obj_end(w);
        // {"key":"text\n<U+FFFD>","n":12,"b":"YWJjZA=="} is 40 bytes
        assert_false(buf_ok(&t.b));
        assert_true(t.b.len <= max);
        buf_done(&t.b);
    }
}

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas),  cmocka_unit_test(test_escapes), cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_numbers), cmocka_unit_test(test_value),
        cmocka_unit_test(test_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
