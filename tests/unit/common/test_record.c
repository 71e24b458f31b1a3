// Records have CloudTrail's members in CloudTrail's order, leave out what does not apply, and keep its sizes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/json_read.h"
#include "common/trail/record.h"

#define KEY_ARN "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static const struct trail_resource key = {"111122223333", "AWS::KMS::Key", KEY_ARN};
static const struct trail_resource table = {"111122223333", "AWS::DynamoDB::Table",
                                            "arn:aws:dynamodb:us-west-2:111122223333:table/Music"};
static struct buf out;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 2 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static void write_context(struct json_write *w, void *arg)
{
    (void)arg;
    json_obj_begin(w);
    json_key(w, "encryptionContext");
    json_obj_begin(w);
    json_kcstr(w, "Department", "Engineering");
    json_obj_end(w);
    json_kcstr(w, "encryptionAlgorithm", "SYMMETRIC_DEFAULT");
    json_obj_end(w);
}

static void write_metadata(struct json_write *w, void *arg)
{
    (void)arg;
    json_obj_begin(w);
    json_key(w, "keyMetadata");
    json_obj_begin(w);
    json_kbool(w, "enabled", true);
    json_obj_end(w);
    json_obj_end(w);
}

static void write_material(struct json_write *w, void *arg)
{
    (void)arg;
    json_obj_begin(w);
    json_kcstr(w, "keyMaterialId", "0123");
    json_obj_end(w);
}

// A JSON string of *arg bytes, quotes included.
static void write_large(struct json_write *w, void *arg)
{
    size_t n = *(size_t *)arg - 2;
    char *text = malloc(n);
    memset(text, 'x', n);
    json_str(w, (struct span){text, n});
    free(text);
}

// alice decrypts, over HTTP.
static struct trail_event user_decrypt(void)
{
    return (struct trail_event){
        .identity = {.type = TRAIL_IAM_USER,
                     .principal_id = "AIDAEXAMPLEALICE00001",
                     .arn = "arn:aws:iam::111122223333:user/alice",
                     .account_id = "111122223333",
                     .access_key_id = "AKIAEXAMPLEALICE",
                     .user_name = "alice"},
        .time_ns = INT64_C(1552305600) * NS_PER_S + 999999999,
        .source = "kms.amazonaws.com",
        .name = "Decrypt",
        .region = "us-west-2",
        .source_ip = "127.0.0.1",
        .user_agent = SPAN("aws-cli/2.15 \"quoted\""),
        .write_request = write_context,
        .write_additional = write_material,
        .request_id = "11111111-2222-4333-8444-555555555555",
        .event_id = "66666666-7777-4888-8999-aaaaaaaaaaaa",
        .read_only = true,
        .resources = &key,
        .resources_n = 1,
        .has_resources = true,
        .management = true,
        .recipient_account = "111122223333",
        .client_host = "127.0.0.1:4599",
    };
}

// The expected text without the white space between its tokens.
static void read_expected(const char *name, struct buf *compact)
{
    char path[512];
    struct buf pretty;
    bool quoted = false;
    snprintf(path, sizeof path, "%s/trail/%s.json", TEST_DATA_DIR, name);
    buf_init(&pretty, 1 << 20);
    buf_init(compact, 1 << 20);
    if (!file_read(path, &pretty))
        fail_msg("%s cannot be read", path);
    for (size_t i = 0; i < pretty.len; i++) {
        char c = pretty.data[i];
        if (c == '"' && (i == 0 || pretty.data[i - 1] != '\\'))
            quoted = !quoted;
        if (quoted || (c != ' ' && c != '\n'))
            buf_append_char(compact, c);
    }
    buf_done(&pretty);
}

static void expect(const struct trail_event *e, const char *name)
{
    struct buf expected;
    read_expected(name, &expected);
    buf_reset(&out, 1 << 20);
    assert_true(trail_record_write(&out, e));
    assert_string_equal(buf_str(&out), buf_str(&expected));
    buf_done(&expected);
}

static void each_identity_has_its_members(void **state)
{
    (void)state;
    struct trail_event e = user_decrypt();
    expect(&e, "user-decrypt");

    e.identity = (struct trail_identity){.type = TRAIL_ASSUMED_ROLE,
                                         .principal_id = "AROAEXAMPLEAPP0000001:i-0abc",
                                         .arn = "arn:aws:sts::111122223333:assumed-role/app/i-0abc",
                                         .account_id = "111122223333",
                                         .access_key_id = "ASIAEXAMPLEAPP",
                                         .user_name = "never shown",
                                         .role_id = "AROAEXAMPLEAPP0000001",
                                         .role_arn = "arn:aws:iam::111122223333:role/app",
                                         .role_name = "app",
                                         .session_start_ns = INT64_C(1552302000) * NS_PER_S,
                                         .invoked_by = "dynamodb.amazonaws.com"};
    e.write_additional = NULL;
    expect(&e, "role-on-behalf");

    e.identity = (struct trail_identity){
        .type = TRAIL_AWS_SERVICE, .account_id = "never shown", .invoked_by = "dynamodb.amazonaws.com"};
    e.name = "GenerateDataKey";
    e.shared_event_id = "bbbbbbbb-cccc-4ddd-8eee-ffffffffffff";
    expect(&e, "service-generate-data-key");
}

static void the_owner_of_a_key_sees_only_the_account(void **state)
{
    (void)state;
    struct trail_event e = user_decrypt();
    e.identity.type = TRAIL_AWS_ACCOUNT;
    e.write_request = e.write_additional = NULL;
    e.recipient_account = "444455556666";
    e.shared_event_id = "bbbbbbbb-cccc-4ddd-8eee-ffffffffffff";
    expect(&e, "account-decrypt");
}

static void root_and_what_does_not_apply(void **state)
{
    (void)state;
    struct trail_event e = user_decrypt();
    e.identity = (struct trail_identity){.type = TRAIL_ROOT,
                                         .principal_id = "111122223333",
                                         .arn = "arn:aws:iam::111122223333:root",
                                         .account_id = "111122223333",
                                         .access_key_id = "111122223333"};
    e.name = "CreateKey";
    e.user_agent = (struct span){0};
    e.write_request = e.write_additional = NULL;
    e.write_response = write_metadata;
    e.read_only = e.has_resources = false;
    e.client_host = NULL;
    expect(&e, "root-create-key");
}

static void a_refused_call_returned_nothing(void **state)
{
    (void)state;
    struct trail_event e = user_decrypt();
    e.name = "CreateAlias";
    e.error_code = "AccessDenied";
    e.error_message = SPAN("User: arn:aws:iam::111122223333:user/alice is not authorized");
    e.write_response = write_metadata;
    e.write_additional = NULL;
    e.read_only = false;
    e.resources_n = 0;
    expect(&e, "user-denied");
}

static void service_events(void **state)
{
    (void)state;
    struct trail_event e = user_decrypt();
    e.identity = (struct trail_identity){.type = TRAIL_INTERNAL, .account_id = "111122223333"};
    e.name = "RotateKey";
    e.write_request = e.write_additional = NULL;
    e.write_service_details = write_material;
    e.request_id = NULL;
    e.read_only = false;
    e.service_event = true;
    expect(&e, "internal-rotate-key");
}

static void data_events_of_dynamodb(void **state)
{
    (void)state;
    struct trail_event e = user_decrypt();
    e.source = "dynamodb.amazonaws.com";
    e.name = "PutItem";
    e.write_request = e.write_additional = NULL;
    e.request_id = "AALNP0J2L244N5O15PKISJ1KUFVV4KQNSO5AEMVJF66Q9ASUAAJG";
    e.read_only = false;
    e.resources = &table;
    e.api_version = "2012-08-10";
    e.management = false;
    e.client_host = "127.0.0.1:8000";
    expect(&e, "dynamodb-put-item");
}

static json_t *written(const struct trail_event *e)
{
    char why[128];
    buf_reset(&out, 1 << 20);
    assert_true(trail_record_write(&out, e));
    assert_true(out.len <= 256 * 1024);
    json_t *doc = json_read(buf_span(&out), why, sizeof why);
    if (!doc)
        fail_msg("%s", why);
    return doc;
}

static size_t text_length(const json_t *doc, const char *member)
{
    return json_string_length(json_object_get(doc, member));
}

static void long_texts_are_cut_at_1_kb(void **state)
{
    (void)state;
    char text[3001], euros[3001];
    memset(text, 'a', 3000);
    text[3000] = '\0';
    for (int i = 0; i < 3000; i++)
        euros[i] = "\xe2\x82\xac"[i % 3];
    struct trail_event e = user_decrypt();
    e.user_agent = (struct span){text, 1024};
    e.error_code = text;
    e.error_message = (struct span){euros, 3000};
    e.request_id = text;
    json_t *doc = written(&e);
    assert_int_equal(text_length(doc, "userAgent"), 1024);
    assert_int_equal(text_length(doc, "errorCode"), 1024);
    assert_int_equal(text_length(doc, "requestID"), 1024);
    // 341 whole characters: none is cut in two, none replaced.
    assert_int_equal(text_length(doc, "errorMessage"), 1023);
    assert_memory_equal(json_string_value(json_object_get(doc, "errorMessage")), euros, 1023);
    json_decref(doc);
}

static void large_structures_are_left_out_whole(void **state)
{
    (void)state;
    size_t n = 100 * 1024;
    struct trail_event e = user_decrypt();
    e.write_request = e.write_response = write_large;
    e.write_additional = NULL;
    e.arg = &n;
    json_t *doc = written(&e);
    assert_int_equal(text_length(doc, "requestParameters"), n - 2);
    assert_int_equal(text_length(doc, "responseElements"), n - 2);
    json_decref(doc);
    n++;
    doc = written(&e);
    assert_true(json_is_null(json_object_get(doc, "requestParameters")));
    assert_true(json_is_null(json_object_get(doc, "responseElements")));
    assert_non_null(json_object_get(doc, "requestID"));
    json_decref(doc);

    n = 28 * 1024;
    e.write_request = e.write_response = NULL;
    e.write_additional = write_large;
    doc = written(&e);
    assert_int_equal(text_length(doc, "additionalEventData"), n - 2);
    json_decref(doc);
    n++;
    doc = written(&e);
    assert_null(json_object_get(doc, "additionalEventData"));
    assert_non_null(json_object_get(doc, "requestID"));
    json_decref(doc);
}

static void a_whole_event_has_at_most_256_kb(void **state)
{
    (void)state;
    size_t n = 100 * 1024, m = 80 * 1024;
    char *arn = malloc(m + 1);
    memset(arn, 'a', m);
    arn[m] = '\0';
    struct trail_resource large = {"111122223333", "AWS::KMS::Key", arn};
    struct trail_event e = user_decrypt();
    e.write_request = e.write_response = write_large;
    e.write_additional = NULL;
    e.arg = &n;
    e.resources = &large;
    json_t *doc = written(&e);
    assert_true(json_is_null(json_object_get(doc, "responseElements")));
    assert_int_equal(text_length(doc, "requestParameters"), n - 2);
    json_decref(doc);
    free(arn);
}

static void a_full_buffer_is_told_and_holds_no_half_record(void **state)
{
    (void)state;
    struct trail_event e = user_decrypt();
    assert_true(trail_record_write(&out, &e));
    size_t size = out.len;
    for (size_t max = 0; max <= size; max += max < size - 1 ? 7 : 1) {
        struct buf small;
        buf_init(&small, max);
        bool ok = trail_record_write(&small, &e);
        if (!ok)
            assert_int_equal(small.len, 0);
        else // parameters may be left out for want of room, members not
            assert_true(small.len > 800 && small.data[small.len - 1] == '}');
        buf_done(&small);
    }
    buf_done(&out);
    buf_init(&out, size); // exactly enough
    assert_true(trail_record_write(&out, &e));
    assert_int_equal(out.len, size);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_identity_has_its_members),
        TEST(the_owner_of_a_key_sees_only_the_account),
        TEST(root_and_what_does_not_apply),
        TEST(a_refused_call_returned_nothing),
        TEST(service_events),
        TEST(data_events_of_dynamodb),
        TEST(long_texts_are_cut_at_1_kb),
        TEST(large_structures_are_left_out_whole),
        TEST(a_whole_event_has_at_most_256_kb),
        TEST(a_full_buffer_is_told_and_holds_no_half_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
