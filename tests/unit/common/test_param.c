// Parameters are read into the handler's struct, refused with AWS's sentences, and shown by the trail without what it
// must not show.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/json_read.h"
#include "common/rpc/param.h"

struct tag {
    struct span key, value;
};

struct inner {
    struct str_map context;
};

struct request {
    struct span key_id, spec;
    struct span plaintext;
    struct opt_int limit;
    struct opt_bool dry_run;
    struct span_list operations;
    struct str_map context;
    struct inner constraints;
    bool constraints_set;
    struct obj_list tags;
    struct opt_time valid_to;
};

static const char *const specs[] = {"AES_256", "AES_128", NULL};
static const char *const operations[] = {"Encrypt", "Decrypt", NULL};

static bool no_blank(struct span s)
{
    return memchr(s.p, ' ', s.n) == NULL;
}

static const struct param tag_rows[] = {
    {.name = "TagKey", .type = PARAM_STRING, .offset = PARAM_AT(tag, key), .required = true, .min = 1, .max = 3},
    {.name = "TagValue", .type = PARAM_STRING, .offset = PARAM_AT(tag, value)},
    {0},
};

static const struct param inner_rows[] = {
    {.name = "EncryptionContextSubset", .type = PARAM_MAP, .offset = PARAM_AT(inner, context)},
    {0},
};

static const struct param rows[] = {
    {.name = "ValidTo", .type = PARAM_TIME, .offset = PARAM_AT(request, valid_to)},
    {.name = "KeyId",
     .type = PARAM_STRING,
     .offset = PARAM_AT(request, key_id),
     .required = true,
     .min = 1,
     .max = 8,
     .pattern = "^\\S+$",
     .matches = no_blank},
    {.name = "KeySpec",
     .type = PARAM_STRING,
     .offset = PARAM_AT(request, spec),
     .choices = specs,
     .trail_default = "AES_256"},
    {.name = "Plaintext",
     .type = PARAM_BLOB,
     .offset = PARAM_AT(request, plaintext),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = 4},
    {.name = "Limit", .type = PARAM_INTEGER, .offset = PARAM_AT(request, limit), .min = 1, .max = 100},
    {.name = "DryRun", .type = PARAM_BOOL, .offset = PARAM_AT(request, dry_run)},
    {.name = "Operations", .type = PARAM_STRINGS, .offset = PARAM_AT(request, operations), .choices = operations},
    {.name = "EncryptionContext", .type = PARAM_MAP, .offset = PARAM_AT(request, context)},
    {.name = "Constraints",
     .type = PARAM_OBJECT,
     .offset = PARAM_AT(request, constraints),
     .members = inner_rows,
     .members_size = sizeof(struct inner),
     .set_offset = PARAM_AT(request, constraints_set)},
    {.name = "Tags",
     .type = PARAM_OBJECTS,
     .offset = PARAM_AT(request, tags),
     .members = tag_rows,
     .members_size = sizeof(struct tag)},
    {0},
};

static const struct fault validation = {.code = "ValidationException", .status = 400};
static const struct fault serialization = {.code = "SerializationException", .status = 400};

struct fixture {
    struct arena arena;
    void *blobs[8];
    size_t blobs_n;
    struct request request;
    struct param_context context;
    json_t *json;
};

static void *blob(void *arg, size_t n)
{
    struct fixture *f = arg;
    return f->blobs[f->blobs_n++] = malloc(n);
}

static const struct fault *read_json(struct fixture *f, const char *text)
{
    if (f->json)
        json_decref(f->json);
    memset(&f->request, 0, sizeof f->request);
    f->context = (struct param_context){
        .arena = &f->arena, .wiped_alloc = blob, .arg = f, .validation = &validation, .serialization = &serialization};
    f->json = json_read(span_of(text), NULL, 0);
    assert_non_null(f->json);
    return param_read(&f->context, rows, f->json, &f->request);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->blobs_n; i++)
        free(f->blobs[i]);
    if (f->json)
        json_decref(f->json);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static void test_reads_everything(void **state)
{
    struct fixture *f = *state;
    assert_null(read_json(f, "{\"KeyId\":\"k\",\"Plaintext\":\"YWI=\",\"Limit\":7,\"DryRun\":true,"
                             "\"Operations\":[\"Decrypt\"],\"EncryptionContext\":{\"a\":\"b\"},"
                             "\"Constraints\":{\"EncryptionContextSubset\":{\"c\":\"d\"}},"
                             "\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"y\"}],\"Unknown\":[1]}"));
    struct request *r = &f->request;
    assert_true(span_is(r->key_id, "k"));
    assert_null(r->spec.p);
    assert_true(span_is(r->plaintext, "ab"));
    assert_int_equal(r->limit.v, 7);
    assert_true(r->dry_run.set && r->dry_run.v);
    assert_true(span_is(r->operations.v[0], "Decrypt"));
    assert_true(span_is(r->context.v[0].value, "b"));
    assert_true(r->constraints_set);
    assert_true(span_is(r->constraints.context.v[0].key, "c"));
    assert_true(span_is(((struct tag *)r->tags.v)[0].value, "y"));
}

static void check(struct fixture *f, const char *json, const struct fault *fault, const char *sentence)
{
    assert_ptr_equal(read_json(f, json), fault);
    if (sentence)
        assert_string_equal(f->context.detail, sentence);
}

static void check_trail(struct fixture *f, const char *json, const char *trail)
{
    assert_null(read_json(f, json));
    struct buf b;
    struct json_write w;
    buf_init(&b, 4096);
    json_write_init(&w, &b);
    param_write_trail(&w, rows, f->json);
    assert_string_equal(buf_str(&b), trail);
    buf_done(&b);
}

static void test_times(void **state)
{
    struct fixture *f = *state;
    check(f, "{\"KeyId\":\"k\",\"ValidTo\":1747806465.5}", NULL, NULL);
    assert_true(f->request.valid_to.set);
    assert_int_equal(f->request.valid_to.ns, INT64_C(1747806465500000000));
    check(f, "{\"KeyId\":\"k\",\"ValidTo\":9e99}", NULL, NULL);
    assert_int_equal(f->request.valid_to.ns, INT64_MAX);
    check(f, "{\"KeyId\":\"k\",\"ValidTo\":\"2025-05-21T05:47:45Z\"}", &serialization,
          "STRING_VALUE can not be converted to milliseconds since epoch");
    check_trail(f, "{\"KeyId\":\"k\",\"ValidTo\":1747806465}",
                "{\"validTo\":\"May 21, 2025, 5:47:45 AM\",\"keyId\":\"k\",\"keySpec\":\"AES_256\"}");
}

static void test_sentences(void **state)
{
    struct fixture *f = *state;
    check(f, "{}", &validation,
          "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null");
    check(f, "{\"KeyId\":null}", &validation, NULL);
    check(f, "{\"KeyId\":\"123456789\"}", &validation,
          "1 validation error detected: Value '123456789' at 'keyId' failed to satisfy constraint: Member must have "
          "length less than or equal to 8");
    check(f, "{\"KeyId\":\"\",\"Limit\":0}", &validation,
          "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length "
          "greater than or equal to 1; Value '0' at 'limit' failed to satisfy constraint: Member must have value "
          "greater than or equal to 1");
    check(f, "{\"KeyId\":\"a b\"}", &validation,
          "1 validation error detected: Value 'a b' at 'keyId' failed to satisfy constraint: Member must satisfy "
          "regular expression pattern: ^\\S+$");
    check(f, "{\"KeyId\":\"k\",\"KeySpec\":\"AES\"}", &validation,
          "1 validation error detected: Value 'AES' at 'keySpec' failed to satisfy constraint: Member must satisfy "
          "enum value set: [AES_256, AES_128]");
    check(
        f, "{\"KeyId\":\"k\",\"Plaintext\":\"YWFhYWE=\"}", &validation,
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less "
        "than or equal to 4");
    check(f, "{\"KeyId\":\"k\",\"Tags\":[{\"TagKey\":\"abcd\"}]}", &validation,
          "1 validation error detected: Value 'abcd' at 'tags.1.member.tagKey' failed to satisfy constraint: Member "
          "must have length less than or equal to 3");
    check(f, "{\"KeyId\":\"k\",\"Operations\":[\"Encrypt\",\"Foo\"]}", &validation,
          "1 validation error detected: Value '[Encrypt, Foo]' at 'operations' failed to satisfy constraint: Member "
          "must satisfy constraint: [Member must satisfy enum value set: [Encrypt, Decrypt]]");
}

static void test_wrong_types(void **state)
{
    struct fixture *f = *state;
    check(f, "{\"KeyId\":5}", &serialization, "NUMBER_VALUE can not be converted to String");
    check(f, "{\"KeyId\":[]}", &serialization, NULL);
    check(f, "{\"KeyId\":\"k\",\"Plaintext\":\"!!\"}", &serialization, NULL);
    check(f, "{\"KeyId\":\"k\",\"DryRun\":\"yes\"}", &serialization, NULL);
    check(f, "{\"KeyId\":\"k\",\"Operations\":\"Encrypt\"}", &serialization, NULL);
    check(f, "{\"KeyId\":\"k\",\"Tags\":[5]}", &serialization, NULL);
    check(f, "{\"KeyId\":\"k\",\"Limit\":1e300}", &serialization, NULL);
}

static void test_trail(void **state)
{
    struct fixture *f = *state;
    check_trail(f,
                "{\"KeyId\":\"k\",\"Plaintext\":\"YWI=\",\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"y\"}],"
                "\"Constraints\":{\"EncryptionContextSubset\":{\"Ab\":\"d\"}}}",
                "{\"keyId\":\"k\",\"keySpec\":\"AES_256\",\"constraints\":{\"encryptionContextSubset\":{\"Ab\":\"d\"}},"
                "\"tags\":[{\"tagKey\":\"x\",\"tagValue\":\"y\"}]}");
    struct buf b;
    struct json_write w;
    buf_init(&b, 4096);
    json_write_init(&w, &b);
    param_write_trail(&w, tag_rows, f->json);
    assert_string_equal(buf_str(&b), "null");
    buf_done(&b);
}

static const char *never_long(const json_t *value, struct arena *arena)
{
    return json_string_length(value) > 3 ? arena_printf(arena, "%s is too long", json_string_value(value)) : NULL;
}

static void test_irregular_sentences(void **state)
{
    struct fixture *f = *state;
    static const struct param irregular[] = {
        {.name = "KeySpec",
         .type = PARAM_STRING,
         .offset = PARAM_AT(request, spec),
         .choices = specs,
         .nameless = true},
        {.name = "Tags",
         .type = PARAM_OBJECTS,
         .offset = PARAM_AT(request, tags),
         .min = 1,
         .max = 1,
         .shape = "Tag",
         .members = tag_rows,
         .members_size = sizeof(struct tag)},
        {.name = "KeyId", .type = PARAM_STRING, .offset = PARAM_AT(request, key_id), .alone = never_long},
        {0},
    };
    assert_null(read_json(f, "{\"KeyId\":\"abc\"}"));
    static const char *const cases[][2] = {
        {"{\"KeySpec\":\"x\"}",
         "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value "
         "set: [AES_256, AES_128]"},
        {"{\"Tags\":[]}", "1 validation error detected: Value '[]' at 'tags' failed to satisfy constraint: Member must "
                          "have length greater than or equal to 1"},
        {"{\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"},{\"TagKey\":\"c\"}]}",
         "1 validation error detected: Value '[Tag(tagKey=a, tagValue=b), Tag(tagKey=c, tagValue=null)]' at 'tags' "
         "failed "
         "to satisfy constraint: Member must have length less than or equal to 1"},
        {"{\"KeySpec\":\"x\",\"Tags\":5,\"KeyId\":\"abcd\"}", "abcd is too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = json_read(span_of(cases[i][0]), NULL, 0);
        assert_ptr_equal(param_read(&f->context, irregular, json, &f->request), &validation);
        assert_string_equal(f->context.detail, cases[i][1]);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentences, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_irregular_sentences, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
