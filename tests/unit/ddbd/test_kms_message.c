// What goes to KMS, what comes back, and what DynamoDB's clients are told about it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "ddbd/faults.h"
#include "ddbd/kms_message.h"

#define ARN "arn:aws:kms:us-west-2:111122223333:key/k1"
static const struct kms_context books = {"Books", "111122223333"};

static void assert_body(struct buf *b, const char *expected)
{
    assert_string_equal(buf_str(b), expected);
    buf_done(b);
}

static void requests_are_the_documented_ones(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    kms_body_create_grant(&b, ARN, "us-west-2", &books, "n-1");
    assert_body(&b, "{\"KeyId\":\"" ARN "\",\"GranteePrincipal\":\"dynamodb.us-west-2.amazonaws.com\","
                    "\"RetiringPrincipal\":\"dynamodb.us-west-2.amazonaws.com\",\"Operations\":[\"DescribeKey\","
                    "\"GenerateDataKey\",\"Decrypt\",\"Encrypt\",\"ReEncryptFrom\",\"ReEncryptTo\",\"RetireGrant\"],"
                    "\"Constraints\":{\"EncryptionContextSubset\":{\"aws:dynamodb:tableName\":\"Books\","
                    "\"aws:dynamodb:subscriberId\":\"111122223333\"}},\"Name\":\"n-1\"}");
    kms_body_generate_data_key(&b, ARN, &books, NULL);
    assert_body(&b, "{\"KeyId\":\"" ARN "\",\"EncryptionContext\":{\"aws:dynamodb:tableName\":\"Books\","
                    "\"aws:dynamodb:subscriberId\":\"111122223333\"},\"KeySpec\":\"AES_256\"}");
    kms_body_decrypt(&b, SPAN("blob"), &books);
    assert_body(&b, "{\"CiphertextBlob\":\"YmxvYg==\",\"EncryptionContext\":{\"aws:dynamodb:tableName\":\"Books\","
                    "\"aws:dynamodb:subscriberId\":\"111122223333\"}}");
    kms_body_retire_grant(&b, ARN, "g1");
    assert_body(&b, "{\"KeyId\":\"" ARN "\",\"GrantId\":\"g1\"}");
}

static struct kms_reply *read_reply(int status, const char *body)
{
    static struct kms_reply r;
    kms_reply_done(&r);
    memset(&r, 0, sizeof r);
    kms_reply_read(&r, status, SPAN("b31fad91-7ab4-4c18-a57c-4b09d9edb5d3"), span_of(body));
    return &r;
}

static void a_data_key_is_read(void **state)
{
    (void)state;
    struct kms_reply *r = read_reply(200, "{\"CiphertextBlob\":\"AQID\",\"KeyId\":\"" ARN "\",\"Plaintext\":"
                                          "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}");
    assert_int_equal(r->outcome, KMS_OK);
    assert_int_equal(r->plaintext.n, 32);
    assert_int_equal(r->plaintext.p[31], 31);
    assert_int_equal(r->blob_n, 3);
    assert_string_equal(r->key_arn, ARN);
    r = read_reply(200, "{\"KeyMetadata\":{\"Arn\":\"" ARN "\",\"KeyId\":\"k1\"}}");
    assert_string_equal(r->key_arn, ARN);
    r = read_reply(200, "");
    assert_int_equal(r->outcome, KMS_OK); // RetireGrant
}

static void what_is_too_long_or_no_answer_is_refused(void **state)
{
    (void)state;
    static char long_token[10000];
    static const char *const bodies[] = {
        "[]", "{", "null", "{\"Plaintext\":\"AAEC\"}", "{\"CiphertextBlob\":\"A\"}", "{\"GrantId\":\"a\\u0000b\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_int_equal(read_reply(200, bodies[i])->outcome, KMS_UNREACHABLE);
    memset(long_token, 'x', sizeof long_token - 1);
    memcpy(long_token, "{\"GrantToken\":\"", 15);
    memcpy(long_token + sizeof long_token - 3, "\"}", 3);
    assert_int_equal(read_reply(200, long_token)->outcome, KMS_UNREACHABLE);
    assert_int_equal(read_reply(503, "{\"message\":\"no type\"}")->outcome, KMS_UNREACHABLE);
}

struct told {
    const char *type, *message;
    const struct fault *fault;
    const char *sentence; // up to " (Service"
    bool lost;
};

static void errors_are_told_as_dynamodb_does(void **state)
{
    (void)state;
    static const struct told cases[] = {
        {"DisabledException", ARN " is disabled.", &fault_validation,
         "KMS key disabled error: com.amazonaws.services.kms.model.DisabledException: " ARN " is disabled.", true},
        {"KMSInvalidStateException", ARN " is pending deletion.", &fault_validation,
         "KMS validation error: com.amazonaws.services.kms.model.KMSInvalidStateException: " ARN
         " is pending deletion.",
         true},
        {"NotFoundException", "Alias arn:aws:kms:x is not found.", &fault_validation,
         "KMS validation error: com.amazonaws.services.kms.model.NotFoundException: Alias arn:aws:kms:x is not found.",
         true},
        {"AccessDeniedException", "User: u is not authorized", &fault_access_denied,
         "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: User: u is not authorized",
         true},
        {"ValidationException", "EncryptionContext is supported only …", &fault_internal,
         "KMS internal error: com.amazonaws.services.kms.model.AWSKMSException: EncryptionContext is supported only …",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[512], detail[KMS_DETAIL_SIZE], expected[1024];
        snprintf(body, sizeof body, "{\"__type\":\"x#%s\",\"message\":\"%s\"}", cases[i].type, cases[i].message);
        struct kms_reply *r = read_reply(400, body);
        assert_ptr_equal(kms_reply_fault(r, detail), cases[i].fault);
        snprintf(expected, sizeof expected,
                 "%s (Service: AWSKMS; Status Code: 400; Error Code: %s; Request ID: "
                 "b31fad91-7ab4-4c18-a57c-4b09d9edb5d3; Proxy: null)",
                 cases[i].sentence, cases[i].type);
        assert_string_equal(detail, expected);
        assert_int_equal(kms_reply_key_lost(r), cases[i].lost);
    }
}

static void no_answer_is_an_internal_error_and_no_loss_of_the_key(void **state)
{
    (void)state;
    char detail[KMS_DETAIL_SIZE];
    struct kms_reply r = {0};
    kms_reply_unreachable(&r, "timed out");
    assert_ptr_equal(kms_reply_fault(&r, detail), &fault_internal);
    assert_non_null(strstr(detail, "timed out"));
    assert_false(kms_reply_key_lost(&r));
}

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_the_documented_ones),
        cmocka_unit_test(a_data_key_is_read),
        cmocka_unit_test(what_is_too_long_or_no_answer_is_refused),
        cmocka_unit_test(errors_are_told_as_dynamodb_does),
        cmocka_unit_test(no_answer_is_an_internal_error_and_no_loss_of_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
