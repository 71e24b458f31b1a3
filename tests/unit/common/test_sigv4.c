// SigV4: AWS's published cases and requests signed by botocore verify; everything else is told what is wrong in AWS's
// words and order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_fixture.h"
#include "common/auth/region.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/time_format.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN "FwoGZXIvYXdzEXAMPLE//token+with=signs"
#define NOW "20150830T123600Z"
#define MISMATCH                                                                                                       \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key " \
    "and signing method. Consult the service documentation for details."

static const char principals[] =
    "{\"accounts\": {\"111122223333\": {"
    "\"users\": {\"alice\": {\"accessKeys\": [{\"id\": \"AKIDEXAMPLE\", \"secret\": \"" SECRET "\"}]}},"
    "\"roles\": {\"app\": {\"sessions\": [{\"name\": \"i-0abc\", \"accessKey\": {\"id\": \"ASIAEXAMPLE\", "
    "\"secret\": \"" SECRET "\", \"token\": \"" TOKEN "\"}}]}}}}}";

struct world {
    struct credentials *credentials;
    struct sigv4_cache *cache;
    struct arena arena;
    struct sigv4_rules rules;
    struct sigv4_result result;
    const char *detail;
};

static int64_t at(const char *text)
{
    int64_t ns;
    assert_true(time_parse_amz(span_of(text), &ns));
    return ns;
}

static void world_init(struct world *w, enum auth_mode mode)
{
    fixture_new();
    *w = (struct world){.rules = {"kms", at(NOW), INT64_C(300) * 1000000000}};
    w->credentials = fixture_credentials(mode, principals, false);
    w->cache = sigv4_cache_new(8);
    arena_init(&w->arena);
}

static void world_done(struct world *w)
{
    sigv4_cache_free(w->cache);
    arena_done(&w->arena);
    credentials_free(w->credentials);
    digest_thread_done();
    fixture_done();
}

static const struct fault *verify(struct world *w, const struct sigv4_request *r)
{
    const struct fault *fault = sigv4_verify(r, &w->rules, w->credentials, w->cache, &w->arena, &w->result, &w->detail);
    if (!fault)
        principal_unref(w->result.principal);
    return fault;
}

// A request to kms that a test bends before or after it is signed.
struct draft {
    struct header headers[16];
    size_t n;
    struct span method, target, body;
    struct span key, secret, region, service;
    const char *date;
    struct buf authorization;
};

static void add(struct draft *d, const char *name, const char *value)
{
    d->headers[d->n++] = (struct header){span_of(name), span_of(value)};
}

static void draft_init(struct draft *d)
{
    *d = (struct draft){.method = SPAN("POST"),
                        .target = SPAN("/"),
                        .body = SPAN("{}"),
                        .key = SPAN("AKIDEXAMPLE"),
                        .secret = SPAN(SECRET),
                        .region = SPAN("us-east-1"),
                        .service = SPAN("kms"),
                        .date = NOW};
    buf_init(&d->authorization, 65536);
    add(d, "Host", "127.0.0.1:4599");
    add(d, "X-Amz-Target", "TrentService.ListKeys");
}

static struct sigv4_request request_of(const struct draft *d)
{
    return (struct sigv4_request){d->method, d->target, d->headers, d->n, d->body};
}

static void sign(struct draft *d)
{
    add(d, "X-Amz-Date", d->date);
    struct sigv4_request r = request_of(d);
    assert_true(sigv4_sign(&r, d->key, d->secret, d->region, d->service, at(d->date), &d->authorization));
    d->headers[d->n++] = (struct header){SPAN("Authorization"), buf_span(&d->authorization)};
}

static void expect(struct world *w, struct draft *d, const struct fault *wanted, const char *sentence)
{
    struct sigv4_request r = request_of(d);
    // With and without a cache, and with a key that is in it already.
    struct sigv4_cache *caches[] = {w->cache, w->cache, NULL};
    for (size_t i = 0; i < 3; i++) {
        struct sigv4_cache *cache = w->cache;
        w->cache = caches[i];
        const struct fault *fault = verify(w, &r);
        w->cache = cache;
        if (fault != wanted)
            fail_msg("%s %s instead of %s", fault ? fault->code : "success", w->detail ? w->detail : "",
                     wanted ? wanted->code : "success");
        if (sentence)
            assert_string_equal(w->detail ? w->detail : fault->message, sentence);
    }
    buf_done(&d->authorization);
}

// --- cases on disk ---

static void read_case(const char *name, const char *file, struct buf *b)
{
    char path[512];
    snprintf(path, sizeof path, TEST_DATA_DIR "/sigv4/%s/%s", name, file);
    buf_init(b, 65536);
    assert_true(file_read(path, b));
}

static struct span part(struct span authorization, const char *name)
{
    const char *from = memmem(authorization.p, authorization.n, name, strlen(name));
    assert_non_null(from);
    from += strlen(name);
    size_t left = (size_t)(authorization.p + authorization.n - from), n = 0;
    while (n < left && from[n] != ',')
        n++;
    return (struct span){from, n};
}

static void check_case(struct world *w, const char *name)
{
    struct buf request, canonical, built;
    struct parsed_request p;
    read_case(name, "request", &request);
    read_case(name, "canonical", &canonical);
    parse_request(buf_span(&request), &p);
    struct span authorization = find_header(&p, "authorization");

    char hash[65];
    sha256_hex(p.r.body, hash);
    buf_init(&built, 65536);
    assert_true(sigv4_canonical_request(&p.r, part(authorization, "SignedHeaders="), span_of(hash), &built));
    if (!span_eq(buf_span(&built), buf_span(&canonical)))
        fail_msg("%s:\n%s", name, buf_str(&built));

    // The scope's last but one element.
    struct span scope = part(authorization, "Credential=");
    char service[32] = "";
    sscanf(scope.p, "%*[^/]/%*[^/]/%*[^/]/%31[^/]", service);
    w->rules.service = service;
    for (int round = 0; round < 2; round++) {
        const struct fault *fault = verify(w, &p.r);
        if (fault)
            fail_msg("%s: %s %s", name, fault->code, w->detail ? w->detail : "");
    }
    buf_done(&request);
    buf_done(&canonical);
    buf_done(&built);
}

static void test_cases(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, AUTH_STRICT);
    DIR *d = opendir(TEST_DATA_DIR "/sigv4");
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            check_case(&w, e->d_name);
            n++;
        }
    closedir(d);
    assert_true(n >= 27);
    world_done(&w);
}

// From AWS's documentation of the signing process.
static void test_signing_key(void **state)
{
    (void)state;
    static const unsigned char wanted[] = {0xc4, 0xaf, 0xb1, 0xcc, 0x57, 0x71, 0xd8, 0x71, 0x76, 0x3a, 0x39,
                                           0x3e, 0x44, 0xb7, 0x03, 0x57, 0x1b, 0x55, 0xcc, 0x28, 0x42, 0x4d,
                                           0x1a, 0x5e, 0x86, 0xda, 0x6e, 0xd3, 0xc1, 0x54, 0xa4, 0xb9};
    unsigned char key[32];
    sigv4_signing_key(SPAN(SECRET), SPAN("20150830"), SPAN("us-east-1"), SPAN("iam"), key);
    assert_memory_equal(key, wanted, sizeof key);
}

static void test_who_signed(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    draft_init(&d);
    add(&d, "x-amz-source-account", "111122223333");
    sign(&d);
    add(&d, "User-Agent", "test");
    struct sigv4_request r = request_of(&d);
    assert_null(sigv4_verify(&r, &w.rules, w.credentials, w.cache, &w.arena, &w.result, &w.detail));
    assert_string_equal(w.result.principal->arn, "arn:aws:iam::111122223333:user/alice");
    assert_true(span_is(w.result.access_key_id, "AKIDEXAMPLE"));
    assert_true(span_is(w.result.region, "us-east-1"));
    assert_true(sigv4_header_signed(&w.result, "x-amz-source-account"));
    assert_true(sigv4_header_signed(&w.result, "host"));
    assert_false(sigv4_header_signed(&w.result, "user-agent"));
    assert_false(sigv4_header_signed(&w.result, "x-amz-source"));
    principal_unref(w.result.principal);
    buf_done(&d.authorization);
    world_done(&w);
}

// --- what is refused ---

// One Authorization header and what is said about it; the date header is there.
static void test_form(void **state)
{
    (void)state;
#define OTHERS ", SignedHeaders=host;x-amz-date;x-amz-target, Signature=abc"
    static const struct {
        const char *authorization;
        const struct fault *fault;
        const char *sentence;
    } rows[] = {
        {NULL, &fault_missing_authentication_token, "Missing Authentication Token"},
        {"", &fault_missing_authentication_token, "Missing Authentication Token"},
        {"Bearer abc", &fault_missing_authentication_token, "Missing Authentication Token"},
        {"AWS AKIDEXAMPLE:abc", &fault_missing_authentication_token, "Missing Authentication Token"},
        {"AWS4-HMAC-SHA256", &fault_incomplete_signature,
         "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
         "Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) "
         "Authorization=YI2YWea8FSxnksZL2ETHbs5elHm9HQufxTLK0W0ffV0="},
        {"AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=", &fault_incomplete_signature, NULL},
        {"AWS4-HMAC-SHA256 Signature=b,    Credential,    SignedHeaders", &fault_incomplete_signature,
         "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with "
         "Base64): 'Iiqf/GC4N8CR/GVFK5AUTLFNdbqNkomRaAsXiLMhUuE='."},
        {"AWS4-HMAC-SHA256 Credential= AKID/20150830/us-east-1/kms/aws4_request" OTHERS, &fault_incomplete_signature,
         NULL},
        {"AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms/aws4_request, SignedHeaders=x-amz-date;x-amz-target, "
         "Signature=abc",
         &fault_invalid_signature, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
        {"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=, Signature=abc", &fault_invalid_signature,
         "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
        {"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=HOST;X-Amz-Date, Signature=abc", &fault_invalid_signature,
         "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
        {"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host;;x-amz-targe;x-amz-target2, Signature=abc",
         &fault_invalid_signature, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
        {"AWS4-HMAC-SHA25 Credential=a" OTHERS, &fault_incomplete_signature,
         "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). "},
        {"AWS4-ECDSA-P256-SHA256 Credential=a" OTHERS, &fault_incomplete_signature,
         "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now). "},
        {"AWS4-HMAC-SHA256 Credential=a/b/c/d" OTHERS, &fault_incomplete_signature,
         "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
         "'a/b/c/d'"},
        {"AWS4-HMAC-SHA256 Credential=a/b/20150830/us-east-1/kms/aws4_request" OTHERS, &fault_incomplete_signature,
         "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
         "'a/b/20150830/us-east-1/kms/aws4_request'"},
        {"AWS4-HMAC-SHA256 Credential=////" OTHERS, &fault_incomplete_signature, NULL},
        {"AWS4-HMAC-SHA256 Credential=a/b/c/d/e" OTHERS, &fault_invalid_signature,
         "Credential should be scoped to a valid region, not 'c'. Credential should be scoped to correct service: "
         "'kms'. Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in Credential "
         "scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'b' != '20150830', from "
         "'20150830T123600Z'."},
        {"AWS4-HMAC-SHA256 Credential=a/20150830/us-east-1/dynamodb/aws4_request" OTHERS, &fault_invalid_signature,
         "Credential should be scoped to correct service: 'kms'. "},
        {"AWS4-HMAC-SHA256 Credential=a/20150830/us-east-9/kms/aws4_request" OTHERS, &fault_invalid_signature,
         "Credential should be scoped to a valid region, not 'us-east-9'. "},
        {"AWS4-HMAC-SHA256 Credential=a/20150830/US-EAST-1/kms/aws4_request" OTHERS, &fault_invalid_signature,
         "Credential should be scoped to a valid region, not 'US-EAST-1'. "},
        {"AWS4-HMAC-SHA256 Credential=a/20150829/us-east-1/kms/aws4_request" OTHERS, &fault_invalid_signature,
         "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != "
         "'20150830', from '20150830T123600Z'."},
        {"AWS4-HMAC-SHA256 Credential=NOBODY/20150830/us-east-1/kms/aws4_request" OTHERS, &fault_unrecognized_client,
         "The security token included in the request is invalid."},
        // A slash too many at the end, no blanks, other order: all well formed.
        {"AWS4-HMAC-SHA256 Signature=abc,SignedHeaders=host;x-amz-date;x-amz-target,"
         "Credential=NOBODY/20150830/us-east-1/kms/aws4_request/",
         &fault_unrecognized_client, NULL},
        {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request" OTHERS, &fault_invalid_signature,
         MISMATCH},
    };
    struct world w;
    world_init(&w, AUTH_STRICT);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct draft d;
        draft_init(&d);
        add(&d, "X-Amz-Date", NOW);
        if (rows[i].authorization)
            add(&d, "Authorization", rows[i].authorization);
        expect(&w, &d, rows[i].fault, rows[i].sentence);
    }
    world_done(&w);
}

static void test_missing_in_dynamodb_words(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    w.rules.service = "dynamodb";
    draft_init(&d);
    expect(&w, &d, &fault_missing_authentication_token, "Request is missing Authentication Token");
    world_done(&w);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        const struct fault *fault;
        const char *sentence;
    } rows[] = {
        {"20150830T123100Z", NULL, NULL},
        {"20150830T124100Z", NULL, NULL},
        {"20150830T123059Z", &fault_invalid_signature,
         "Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
        {"20150830T124101Z", &fault_invalid_signature,
         "Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 "
         "min.)"},
        {"19700101T000000Z", &fault_invalid_signature,
         "Signature expired: 19700101T000000Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
    };
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        draft_init(&d);
        d.date = rows[i].date;
        sign(&d);
        expect(&w, &d, rows[i].fault, rows[i].sentence);
    }
    // A Date header will do, in the same form.
    draft_init(&d);
    sign(&d);
    d.headers[2].name = SPAN("Date");
    expect(&w, &d, &fault_invalid_signature, MISMATCH); // its name was not signed
    draft_init(&d);
    add(&d, "Date", "Sun, 30 Aug 2015 12:36:00 GMT");
    add(&d, "Authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b");
    expect(&w, &d, &fault_incomplete_signature,
           "Date must be in ISO-8601 'basic format'. Got 'Sun, 30 Aug 2015 12:36:00 GMT'. See "
           "http://en.wikipedia.org/wiki/ISO_8601");
    draft_init(&d);
    add(&d, "Authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b");
    expect(&w, &d, &fault_incomplete_signature,
           "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 "
           "and encoded with Base64) Authorization=kObdg4Rnr5LEY12JMZQjZ6U4UH8c8kf6duT015Rw/lU=");
    world_done(&w);
}

static void test_date_header_instead(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    draft_init(&d);
    add(&d, "Date", NOW);
    struct sigv4_request r = request_of(&d);
    assert_true(sigv4_sign(&r, d.key, d.secret, d.region, d.service, at(NOW), &d.authorization));
    d.headers[d.n++] = (struct header){SPAN("authorization"), buf_span(&d.authorization)};
    expect(&w, &d, NULL, NULL);
    world_done(&w);
}

// Everything that is covered by the signature, changed after signing.
static void test_changes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, AUTH_STRICT);
    for (int change = 0; change < 11; change++) {
        struct draft d;
        draft_init(&d);
        if (change == 7)
            d.secret = SPAN("wrong");
        sign(&d);
        struct header *signature = &d.headers[d.n - 1];
        switch (change) {
        case 0:
            d.method = SPAN("PUT");
            break;
        case 1:
            d.target = SPAN("/other");
            break;
        case 2:
            d.target = SPAN("/?x=1");
            break;
        case 3:
            d.body = SPAN("{ }");
            break;
        case 4:
            d.headers[0].value = SPAN("127.0.0.1:4600");
            break;
        case 5:
            add(&d, "X-Amz-Target", "TrentService.Decrypt"); // a second one
            break;
        case 6:
            d.headers[1].name = SPAN("X-Target"); // signed, but not there
            break;
        case 7:
            break;
        case 8: // upper-case digits
            for (char *p = d.authorization.data + d.authorization.len - 64;
                 p < d.authorization.data + d.authorization.len; p++)
                if (*p >= 'a' && *p <= 'f')
                    *p = (char)(*p - 32);
            break;
        case 9:
            signature->value.n--;
            break;
        default:
            d.target = SPAN("/%zz");
        }
        expect(&w, &d, &fault_invalid_signature, MISMATCH);
    }
    world_done(&w);
}

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *hash;
        bool ok;
    } rows[] = {
        {"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", true}, // of {}
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false},
        {"UNSIGNED-PAYLOAD", false},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false},
        {"", false},
    };
    struct world w;
    world_init(&w, AUTH_STRICT);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct draft d;
        draft_init(&d);
        add(&d, "X-Amz-Content-SHA256", rows[i].hash);
        sign(&d);
        expect(&w, &d, rows[i].ok ? NULL : &fault_invalid_signature, rows[i].ok ? NULL : MISMATCH);
    }
    world_done(&w);
    // The same from a stranger.
    world_init(&w, AUTH_OPEN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct draft d;
        draft_init(&d);
        d.key = SPAN("test");
        add(&d, "X-Amz-Content-SHA256", rows[i].hash);
        sign(&d);
        expect(&w, &d, rows[i].ok ? NULL : &fault_invalid_signature, rows[i].ok ? NULL : MISMATCH);
    }
    world_done(&w);
}

static void test_unsigned_headers(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    static const struct {
        const char *name;
        const char *sentence; // NULL: may come unsigned
    } rows[] = {
        {"X-Amzn-Trace-Id", NULL},
        {"amz-sdk-request", NULL},
        {"x-amz-user-agent", NULL},
        {"x-amz-source-account", "'x-amz-source-account' must be a 'SignedHeader' in the AWS Authorization."},
        {"X-Amz-Security-Token", "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        draft_init(&d);
        sign(&d);
        add(&d, rows[i].name, "1");
        expect(&w, &d, rows[i].sentence ? &fault_invalid_signature : NULL, rows[i].sentence);
    }
    world_done(&w);
}

static void test_two_authorizations(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    draft_init(&d);
    sign(&d);
    d.headers[d.n] = d.headers[d.n - 1];
    d.n++;
    expect(&w, &d, &fault_incomplete_signature, NULL);
    assert_non_null(strstr(w.detail, "Invalid key=value pair"));
    world_done(&w);
}

static void test_session_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *key, *token;
        const struct fault *fault;
    } rows[] = {
        {"ASIAEXAMPLE", TOKEN, NULL},
        {"ASIAEXAMPLE", NULL, &fault_unrecognized_client},
        {"ASIAEXAMPLE", "another", &fault_unrecognized_client},
        {"ASIAEXAMPLE", "", &fault_unrecognized_client},
        {"AKIDEXAMPLE", TOKEN, &fault_unrecognized_client},
        {"AKIDEXAMPLE", "", NULL},
    };
    struct world w;
    world_init(&w, AUTH_STRICT);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct draft d;
        draft_init(&d);
        d.key = span_of(rows[i].key);
        if (rows[i].token)
            add(&d, "X-Amz-Security-Token", rows[i].token);
        sign(&d);
        expect(&w, &d, rows[i].fault, rows[i].fault ? "The security token included in the request is invalid." : NULL);
    }
    world_done(&w);
}

static void test_query_form(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    draft_init(&d);
    d.target = SPAN("/?X-Amz-Algorithm=AWS4-HMAC-SHA256");
    sign(&d);
    expect(&w, &d, &fault_invalid_signature,
           "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.");
    draft_init(&d);
    d.target = SPAN("/?X-Amz-Algorithm=&a=b&X-Amz-Signature=x&X-Amz-Date=" NOW);
    expect(&w, &d, &fault_incomplete_signature,
           "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include "
           "'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the "
           "query-string parameters.");
    draft_init(&d);
    d.target = SPAN("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=x&X-Amz-Date=" NOW
                    "&X-Amz-SignedHeaders=host");
    expect(&w, &d, &fault_incomplete_signature,
           "Signatures in the query string are not supported here. Sign with the Authorization header.");
    world_done(&w);
}

// An unknown key is let in, but only with a signature of the right form, time, service and Region.
static void test_open_mode(void **state)
{
    (void)state;
    static const struct {
        const char *key, *date, *region, *service;
        const struct fault *fault;
        const char *arn;
    } rows[] = {
        {"444455556666", NOW, "us-east-1", "kms", NULL, "arn:aws:iam::444455556666:root"},
        {"test", NOW, "cn-north-1", "kms", NULL, "arn:aws:iam::000000000000:user/local"},
        {"test", "20150830T120000Z", "us-east-1", "kms", &fault_invalid_signature, NULL},
        {"test", NOW, "nowhere", "kms", &fault_invalid_signature, NULL},
        {"test", NOW, "us-east-1", "sqs", &fault_invalid_signature, NULL},
        {"te\x01st", NOW, "us-east-1", "kms", &fault_unrecognized_client, NULL},
        // A known key is verified all the same; its secret is not "any".
        {"AKIDEXAMPLE", NOW, "us-east-1", "kms", &fault_invalid_signature, NULL},
    };
    struct world w;
    world_init(&w, AUTH_OPEN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct draft d;
        draft_init(&d);
        d.key = span_of(rows[i].key);
        d.secret = SPAN("any");
        d.date = rows[i].date;
        d.region = span_of(rows[i].region);
        d.service = span_of(rows[i].service);
        sign(&d);
        struct sigv4_request r = request_of(&d);
        const struct fault *fault = sigv4_verify(&r, &w.rules, w.credentials, w.cache, &w.arena, &w.result, &w.detail);
        assert_ptr_equal(fault, rows[i].fault);
        if (!fault) {
            assert_string_equal(w.result.principal->arn, rows[i].arn);
            assert_true(w.result.principal->full_rights);
            principal_unref(w.result.principal);
        }
        buf_done(&d.authorization);
    }
    world_done(&w);
}

// The cache must never answer with the key of a secret that is no longer valid, nor mix up neighbours in a full cache.
// However long a secret is, all of it makes the key.
static void test_long_secrets(void **state)
{
    (void)state;
    char secret[6000];
    memset(secret, 's', sizeof secret);
    unsigned char key[32], other[32];
    sigv4_signing_key((struct span){secret, sizeof secret}, SPAN("20150830"), SPAN("us-east-1"), SPAN("kms"), key);
    sigv4_signing_key((struct span){secret, sizeof secret - 1}, SPAN("20150830"), SPAN("us-east-1"), SPAN("kms"),
                      other);
    assert_memory_not_equal(key, other, sizeof key);
    sigv4_signing_key(SPAN(""), SPAN("20150830"), SPAN("us-east-1"), SPAN("kms"), other);
    assert_memory_not_equal(key, other, sizeof key);
}

static void test_cache(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    char why[512];
    world_init(&w, AUTH_STRICT);
    static const char *const regions[] = {"us-east-1",  "us-east-2", "us-west-1",  "us-west-2",  "eu-west-1",
                                          "eu-west-2",  "eu-west-3", "sa-east-1",  "cn-north-1", "eu-north-1",
                                          "eu-south-1", "ap-east-1", "ap-south-1", "ca-west-1",  "af-south-1"};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
            draft_init(&d);
            d.region = span_of(regions[i]);
            sign(&d);
            expect(&w, &d, NULL, NULL);
        }
    fixture_file("principals.json",
                 "{\"accounts\": {\"111122223333\": {\"users\": {\"alice\": {\"accessKeys\": [{\"id\": "
                 "\"AKIDEXAMPLE\", \"secret\": \"changed\"}]}}}}}");
    assert_true(credentials_reload(w.credentials, why, sizeof why));
    draft_init(&d);
    sign(&d);
    expect(&w, &d, &fault_invalid_signature, MISMATCH);
    draft_init(&d);
    d.secret = SPAN("changed");
    sign(&d);
    expect(&w, &d, NULL, NULL);
    world_done(&w);
}

static void test_no_cache_entries(void **state)
{
    (void)state;
    struct world w;
    struct draft d;
    world_init(&w, AUTH_STRICT);
    sigv4_cache_free(w.cache);
    w.cache = sigv4_cache_new(0);
    draft_init(&d);
    sign(&d);
    expect(&w, &d, NULL, NULL);
    world_done(&w);
}

static void test_regions(void **state)
{
    (void)state;
    static const char *const good[] = {"us-east-1",      "eu-central-2", "us-gov-west-1",
                                       "cn-northwest-1", "mx-central-1", "eusc-de-east-1"};
    static const char *const bad[] = {"", "us-east", "us-east-10", "aws-global", "local", "us-east-1 "};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(region_exists(span_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(region_exists(span_of(bad[i])));
    assert_string_equal(region_partition(SPAN("eu-central-1")), "aws");
    assert_string_equal(region_partition(SPAN("cn-north-1")), "aws-cn");
    assert_string_equal(region_partition(SPAN("us-gov-east-1")), "aws-us-gov");
    assert_string_equal(region_partition(SPAN("eusc-de-east-1")), "aws-eusc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_signing_key),
        cmocka_unit_test(test_who_signed),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_missing_in_dynamodb_words),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_date_header_instead),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_unsigned_headers),
        cmocka_unit_test(test_two_authorizations),
        cmocka_unit_test(test_session_tokens),
        cmocka_unit_test(test_query_form),
        cmocka_unit_test(test_open_mode),
        cmocka_unit_test(test_long_secrets),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_no_cache_entries),
        cmocka_unit_test(test_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
