// YAML and JSON as trees with lines: what is taken, on which line it stands, what is refused and where.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/base/doc.h"
#include "common/base/json_read.h"

static struct doc_tree *read_doc(const char *text, bool json)
{
    char why[256];
    int line;
    struct doc_tree *tree = doc_read(span_of(text), json, &line, why, sizeof why);
    if (!tree)
        fail_msg("line %d: %s", line, why);
    return tree;
}

static void is_json(const struct doc *d, const char *json)
{
    struct buf b;
    buf_init(&b, 4096);
    doc_write_json(d, &b);
    assert_string_equal(buf_str(&b), json);
    buf_done(&b);
}

static void reads_as(const char *text, bool json, const char *expected)
{
    struct doc_tree *tree = read_doc(text, json);
    is_json(doc_root(tree), expected);
    doc_free(tree);
}

static void test_yaml(void **state)
{
    (void)state;
    reads_as("a: 1\nb: [x, 'y', \"z\"]\nc:\n  - d: ~\n  - true\n", false,
             "{\"a\":\"1\",\"b\":[\"x\",\"y\",\"z\"],\"c\":[{\"d\":null},true]}");
    reads_as("'true': \"null\"\nb: 'false'\n", false, "{\"true\":\"null\",\"b\":\"false\"}");
    reads_as("a: 000000000000\nb: 12e34\nc: 2012-10-17\n", false,
             "{\"a\":\"000000000000\",\"b\":\"12e34\",\"c\":\"2012-10-17\"}");
    reads_as("a: |\n  one\n  two\nb: >-\n  three\n  four\n", false, "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}");
    reads_as("a: &p {x: [y]}\nb: *p\nc: [*p]\n", false,
             "{\"a\":{\"x\":[\"y\"]},\"b\":{\"x\":[\"y\"]},\"c\":[{\"x\":[\"y\"]}]}");
    reads_as("--- !!map\na: !!str true\n...\n", false, "{\"a\":\"true\"}");
}

static void test_json(void **state)
{
    (void)state;
    reads_as("{\"a\":[1,true,null,\"\\/\\u00e9\\ud83d\\ude00\\\\ud83d\"]}", true,
             "{\"a\":[\"1\",true,null,\"/\xc3\xa9\xf0\x9f\x98\x80\\\\ud83d\"]}");
    reads_as("{\n\t\"a\" :\n\t{ }\n}", true, "{\"a\":{}}");
    reads_as("\"true\"", true, "\"true\"");
}

static void test_lines(void **state)
{
    (void)state;
    struct doc_tree *tree = read_doc("# one\na: x\nb:\n  - c: y\n    d: z\n", false);
    const struct doc *root = doc_root(tree), *list = doc_member(root, "b");
    assert_int_equal(root->line, 2);
    assert_int_equal(doc_member_line(root, "b"), 3);
    assert_int_equal(doc_member_line(root, "none"), 2);
    assert_int_equal(list->items[0].line, 4);
    assert_int_equal(doc_member_line(list->items[0].value, "d"), 5);
    assert_null(doc_member(root, "none"));
    assert_null(doc_member(list, "c"));
    doc_free(tree);
    tree = read_doc("{\"a\": 1,\n\n\"b\": 2}", true);
    assert_int_equal(doc_member_line(doc_root(tree), "b"), 3);
    doc_free(tree);
}

static void test_words(void **state)
{
    (void)state;
    struct doc_tree *tree = read_doc("[true, false, 'true', yes, ~, null, '', '~', [true]]", false);
    static const struct {
        bool is_bool, value, null;
    } rows[] = {{true, true, false},   {true, false, false},  {false, false, false},
                {false, false, false}, {false, false, true},  {false, false, true},
                {false, false, false}, {false, false, false}, {false, false, false}};
    const struct doc *list = doc_root(tree);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool value = true;
        assert_int_equal(doc_bool(list->items[i].value, &value), rows[i].is_bool);
        assert_int_equal(value, rows[i].value);
        assert_int_equal(doc_is_null(list->items[i].value), rows[i].null);
    }
    doc_free(tree);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool json;
        int line;
        const char *why;
    } rows[] = {
        {"", false, 1, "nothing is in it"},
        {"a: 1\na: 2\n", false, 2, "a is given twice"},
        {"a: 1\nb: *c\n", false, 2, "*c is no anchor of what is above"},
        {"a: &a [*a]\n", false, 1, "*a is no anchor of what is above"},
        {"\na: !!binary aGk=\n", false, 2, "the tag tag:yaml.org,2002:binary is not understood"},
        {"a: !own x\n", false, 1, "the tag !own is not understood"},
        {"? [a]\n: b\n", false, 1, "the name of a member must be a text"},
        {"a: 1\n---\nb: 2\n", false, 2, "only one document is understood"},
        {"a: \"x\\0y\"\n", false, 1, "U+0000 in a text"},
        {"a: 1\n b: 2\n", false, 2, "mapping values are not allowed in this context"},
        {"a:\n\t- b\n", false, 2, "found character that cannot start any token"},
        {"{\"a\":1,\n\"a\":2}", true, 2, "a member is given twice at line 2, column 3"},
        {"{\"a\":\n x}", true, 2, "syntax error at line 2, column 2"},
        {"{a: 1}", true, 1, "syntax error at line 1, column 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[256];
        int line;
        assert_null(doc_read(span_of(rows[i].text), rows[i].json, &line, why, sizeof why));
        assert_string_equal(why, rows[i].why);
        assert_int_equal(line, rows[i].line);
    }
}

static void test_depth_and_size(void **state)
{
    (void)state;
    char text[256], why[256];
    int line;
    struct buf b;
    memset(text, '[', 40);
    memset(text + 40, ']', 40);
    assert_null(doc_read((struct span){text, 80}, false, &line, why, sizeof why));
    assert_string_equal(why, "nested too deeply");
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_appendf(&b, "k%d: v\n", i);
    assert_null(doc_read(buf_span(&b), false, &line, why, sizeof why));
    assert_int_equal(line, 4097);
    // Aliases do not lead deeper either.
    buf_reset(&b, 0);
    buf_append_str(&b, "- &a0 [x]\n");
    for (int i = 1; i < 100; i++)
        buf_appendf(&b, "- &a%d [*a%d]\n", i, i - 1);
    assert_null(doc_read(buf_span(&b), false, &line, why, sizeof why));
    assert_string_equal(why, "nested too deeply");
    assert_int_equal(line, 32);
    // A small text that stands for a large one: writing ends when the buffer is full.
    buf_reset(&b, 0);
    buf_append_str(&b, "a: &a0 [x]\n");
    for (int i = 1; i < 25; i++)
        buf_appendf(&b, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    struct doc_tree *tree = doc_read(buf_span(&b), false, &line, why, sizeof why);
    assert_non_null(tree);
    struct buf out;
    buf_init(&out, 1000);
    doc_write_json(doc_root(tree), &out);
    assert_false(buf_ok(&out));
    buf_done(&out);
    doc_free(tree);
    buf_done(&b);
}

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml),  cmocka_unit_test(test_json),     cmocka_unit_test(test_lines),
        cmocka_unit_test(test_words), cmocka_unit_test(test_refusals), cmocka_unit_test(test_depth_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
