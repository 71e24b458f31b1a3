// JSON from outside: what is taken, what is refused with which reason, nothing quoted from the text, nothing lost when
// memory runs out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_read.h"

static void test_accepts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}", " [] ", "1", "\"x\"", "null", "true", "-0.5e3", "\"\\u0000\"", "{\"a\":{\"b\":[1,2]}}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_t *v = json_read(span_of(good[i]), NULL, 0);
        assert_non_null(v);
        json_decref(v);
    }
    json_t *v = json_read(SPAN("\"a\\u0000b\""), NULL, 0);
    assert_true(span_eq(json_span(v), SPAN("a\0b")));
    json_decref(v);
    v = json_read(SPAN("7"), NULL, 0);
    assert_int_equal(json_span(v).n, 0);
    json_decref(v);
    assert_int_equal(json_span(NULL).n, 0);
}

static void test_refuses_without_quoting(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "unexpected end at line 1, column 0"},
        {"{\"a\":SECRET}", "syntax error at line 1, column 11"},
        {"{\"a\":1,}", "syntax error at line 1, column 8"},
        {"{\"SECRET\":1", "unexpected end at line 1, column 11"},
        {"\"SECRET", "unexpected end at line 1, column 7"},
        {"{} SECRET", "text after the value at line 1, column 9"},
        {"[1,\n99999999999999999999]", "a number is out of range at line 2, column 20"},
        {"[1e999]", "a number is out of range at line 1, column 6"},
        {"\"SECRET\xff\"", "invalid UTF-8 at line 1, column 7"},
        {"\"\\ud800\"", "syntax error at line 1, column 8"},
        {"{\"a\\u0000\":1}", "a key holds U+0000 at line 1, column 10"},
        {"'x'", "syntax error at line 1, column 1"},
        {"[01]", "syntax error at line 1, column 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[128] = "";
        assert_null(json_read(span_of(rows[i].text), why, sizeof why));
        assert_string_equal(why, rows[i].why);
    }
    assert_null(json_read((struct span){NULL, 0}, NULL, 0));
}

static json_t *read_nested(size_t depth, char *why, size_t why_size)
{
    char *text = malloc(2 * depth);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    json_t *v = json_read((struct span){text, 2 * depth}, why, why_size);
    free(text);
    return v;
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    char why[128];
    json_t *v = read_nested(2048, NULL, 0);
    assert_non_null(v);
    json_decref(v);
    assert_null(read_nested(2049, why, sizeof why));
    assert_non_null(strstr(why, "nested too deeply"));
    assert_null(read_nested(1000000, why, sizeof why));
}

static void test_file(void **state)
{
    (void)state;
    char path[] = P_tmpdir "/test_json_read.XXXXXX", why[256];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "{\"a\":1}", 7), 7);
    json_t *v = json_read_file(path, 7, why, sizeof why);
    assert_int_equal(json_integer_value(json_object_get(v, "a")), 1);
    json_decref(v);
    assert_null(json_read_file(path, 6, why, sizeof why));
    assert_non_null(strstr(why, path));
    assert_int_equal(write(fd, "x", 1), 1);
    assert_null(json_read_file(path, 100, why, sizeof why));
    assert_non_null(strstr(why, "text after the value at line 1"));
    close(fd);
    unlink(path);
    assert_null(json_read_file(path, 100, why, sizeof why));
    assert_non_null(strstr(why, "No such file"));
}

static int allocations_left;

static void *failing_malloc(size_t n)
{
    return allocations_left-- > 0 ? malloc(n) : NULL;
}

static void test_memory_running_out(void **state)
{
    (void)state;
    json_t *v = NULL;
    json_set_alloc_funcs(failing_malloc, free);
    for (int n = 0; !v; n++) {
        allocations_left = n;
        v = json_read(SPAN("{\"key\":[1,2.5,\"a longer text, with \\u00e9\",{\"x\":null}]}"), NULL, 0);
        assert_true(n < 1000);
    }
    json_decref(v);
    json_read_setup();
}

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses_without_quoting),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_memory_running_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
