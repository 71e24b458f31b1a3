// Requests to proxies, their replies, and the blobs: the example of the specification, and what must not be taken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "kmsd/xks_message.h"

#define AAD SPAN("project=nile,department=marketing")
#define HELLO SPAN("Hello World!")

// The numbers of the specification's Encrypt example and its Appendix C.
#define ENCRYPTED                                                                                                      \
    "{\"authenticationTag\":\"vBxN2ncH1oEkR8WVXpmyYQ==\",\"ciphertext\":\"ghxkK1txeDNn3q8Y\","                         \
    "\"ciphertextMetadata\":\"a2V5X3ZlcnNpb249MQ==\",\"initializationVector\":\"HMrlRw85cAJUd5Ax\""
#define PROOF ",\"ciphertextDataIntegrityValue\":\"qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=\""

static struct xks_request encrypt_request(bool integrity)
{
    return (struct xks_request){
        .api = XKS_ENCRYPT,
        .origin = {.principal_arn = "arn:aws:iam::123456789012:user/Alice", .operation = "Encrypt", .request_id = "id"},
        .xks_key_id = "key-1",
        .context = AAD,
        .plaintext = HELLO,
        .integrity = integrity};
}

static void test_requests(void **state)
{
    (void)state;
    struct xks_request q = encrypt_request(true);
    struct buf b;
    buf_init(&b, XKS_BODY_MAX);
    xks_request_target(&q, "/prefix/kms/xks/v1", &b);
    assert_string_equal(buf_str(&b), "/prefix/kms/xks/v1/keys/key-1/encrypt");
    buf_done(&b);
    xks_request_body(&q, &b);
    assert_string_equal(buf_str(&b),
                        "{\"requestMetadata\":{\"awsPrincipalArn\":\"arn:aws:iam::123456789012:user/Alice\","
                        "\"kmsOperation\":\"Encrypt\",\"kmsRequestId\":\"id\"},"
                        "\"additionalAuthenticatedData\":\"cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n\","
                        "\"plaintext\":\"SGVsbG8gV29ybGQh\",\"encryptionAlgorithm\":\"AES_GCM\","
                        "\"ciphertextDataIntegrityValueAlgorithm\":\"SHA_256\"}");
    buf_done(&b);
    q = (struct xks_request){.api = XKS_HEALTH, .origin = {.operation = "KmsHealthCheck", .request_id = "id"}};
    xks_request_target(&q, "/kms/xks/v1", &b);
    assert_string_equal(buf_str(&b), "/kms/xks/v1/health");
    buf_done(&b);
    xks_request_body(&q, &b);
    assert_string_equal(buf_str(&b),
                        "{\"requestMetadata\":{\"kmsOperation\":\"KmsHealthCheck\",\"kmsRequestId\":\"id\"}}");
    buf_done(&b);
}

static enum xks_failure read(const struct xks_request *q, int status, const char *body)
{
    struct xks_reply r;
    xks_reply_read(q, status, span_of(body), &r);
    xks_reply_done(&r);
    return r.failure;
}

static void test_an_encrypted_reply(void **state)
{
    (void)state;
    struct xks_request q = encrypt_request(true);
    struct xks_reply r;
    xks_reply_read(&q, 200, SPAN(ENCRYPTED PROOF "}"), &r);
    assert_int_equal(r.failure, XKS_OK);
    assert_int_equal(r.sealed.iv_n, 12);
    assert_true(span_is((struct span){(char *)r.sealed.metadata, r.sealed.metadata_n}, "key_version=1"));
    assert_int_equal(r.sealed.bytes.n, 12);
    xks_reply_done(&r);
    // What was to be proved and was not.
    assert_int_equal(read(&q, 200, ENCRYPTED "}"), XKS_MALFORMED);
    q.context = SPAN("project=nile,department=sales");
    assert_int_equal(read(&q, 200, ENCRYPTED PROOF "}"), XKS_MALFORMED);
    q.integrity = false;
    assert_int_equal(read(&q, 200, ENCRYPTED "}"), XKS_OK);
    q.plaintext.n--;
    assert_int_equal(read(&q, 200, ENCRYPTED "}"), XKS_MALFORMED);
}

static void test_errors(void **state)
{
    (void)state;
    struct xks_request q = encrypt_request(false);
    struct xks_reply r;
    for (int i = XKS_OK + 1; i < XKS_FAILURES; i++) {
        char body[128];
        assert_non_null(xks_failures[i].sentence);
        assert_non_null(xks_failures[i].managing);
        assert_non_null(xks_failures[i].creating);
        assert_int_not_equal(xks_failures[i].connecting, CONNECTION_OK);
        if (!xks_failures[i].name)
            continue;
        snprintf(body, sizeof body, "{\"errorName\":\"%s\"}", xks_failures[i].name);
        assert_int_equal(read(&q, 400, body), i);
        assert_int_equal(read(&q, 200, body), XKS_MALFORMED); // a success must look like one
    }
    static const char *const malformed[] = {
        "", "[]", "null", "{", "{}", "{\"errorName\":7}", "{\"errorName\":\"None\"}"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_int_equal(read(&q, 500, malformed[i]), XKS_MALFORMED);
    xks_reply_read(&q, 403, SPAN("{\"errorName\":\"AccessDeniedException\",\"errorMessage\":\"no\\nway\"}"), &r);
    assert_string_equal(r.message, "no?way"); // one line of the log
    xks_reply_done(&r);
}

#define HEALTH(size, status)                                                                                           \
    "{\"xksProxyFleetSize\":" size ",\"xksProxyVendor\":\"V\",\"xksProxyModel\":\"M\",\"ekmVendor\":\"E\","            \
    "\"ekmFleetDetails\":[{\"id\":\"1\",\"model\":\"M\",\"healthStatus\":\"" status "\"}]}"

static void test_health(void **state)
{
    (void)state;
    struct xks_request q = {.api = XKS_HEALTH};
    assert_int_equal(read(&q, 200, HEALTH("1", "ACTIVE")), XKS_OK);
    assert_int_equal(read(&q, 200, HEALTH("1", "DEGRADED")), XKS_OK);
    assert_int_equal(read(&q, 200, HEALTH("1", "UNAVAILABLE")), XKS_UNHEALTHY);
    assert_int_equal(read(&q, 200, HEALTH("0", "ACTIVE")), XKS_MALFORMED);
    assert_int_equal(read(&q, 200, HEALTH("\"1\"", "ACTIVE")), XKS_MALFORMED);
    assert_int_equal(read(&q, 200, HEALTH("1", "FINE")), XKS_MALFORMED);
    assert_int_equal(read(&q, 200, "{\"xksProxyFleetSize\":1,\"ekmFleetDetails\":[]}"), XKS_MALFORMED);
}

static void test_metadata(void **state)
{
    (void)state;
    struct xks_request q = {.api = XKS_METADATA, .xks_key_id = "k"};
    struct xks_reply r;
    xks_reply_read(
        &q, 200, SPAN("{\"keySpec\":\"AES_256\",\"keyUsage\":[\"WRAP\",\"ENCRYPT\"],\"keyStatus\":\"DISABLED\"}"), &r);
    assert_int_equal(r.failure, XKS_OK);
    assert_string_equal(r.key_usage, "WRAP, ENCRYPT");
    assert_true(r.encrypts && !r.decrypts);
    assert_string_equal(r.key_status, "DISABLED");
    xks_reply_done(&r);
    assert_int_equal(read(&q, 200, "{\"keySpec\":\"AES_256\",\"keyUsage\":\"ENCRYPT\",\"keyStatus\":\"ENABLED\"}"),
                     XKS_MALFORMED);
    assert_int_equal(read(&q, 200, "{\"keySpec\":\"AES_256\",\"keyUsage\":[1],\"keyStatus\":\"ENABLED\"}"),
                     XKS_MALFORMED);
    assert_int_equal(read(&q, 200,
                          "{\"keySpec\":\"AES_256\",\"keyUsage\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\","
                          "\"9\",\"10\",\"11\"],\"keyStatus\":\"ENABLED\"}"),
                     XKS_MALFORMED);
}

static void test_blobs(void **state)
{
    (void)state;
    unsigned char id[BACKING_ID_SIZE];
    struct xks_sealed sealed = {.iv_n = 16, .metadata_n = 3, .metadata = "abc", .bytes = HELLO};
    struct xks_blob got;
    struct ciphertext other;
    struct buf b;
    memset(id, 9, sizeof id);
    memset(sealed.tag, 7, sizeof sealed.tag);
    buf_init(&b, KMS_CIPHERTEXT_MAX);
    xks_blob_write(id, &sealed, &b);
    assert_true(xks_blob_parse(buf_span(&b), &got));
    assert_memory_equal(got.backing_id, id, sizeof id);
    assert_int_equal(got.sealed.metadata_n, 3);
    assert_memory_equal(got.sealed.tag, sealed.tag, sizeof sealed.tag);
    assert_true(span_eq(got.sealed.bytes, HELLO));
    assert_false(ciphertext_parse(buf_span(&b), &other));
    for (size_t n = 0; n <= b.len - HELLO.n; n++) // cut anywhere before the last byte of what was sealed
        assert_false(xks_blob_parse((struct span){b.data, n}, &got));
    b.data[38] = XKS_METADATA_MAX + 1;
    assert_false(xks_blob_parse(buf_span(&b), &got));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_an_encrypted_reply), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_health),   cmocka_unit_test(test_metadata),           cmocka_unit_test(test_blobs),
    };
    json_read_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
