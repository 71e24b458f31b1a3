// Verification of a signed request, in AWS's order and with AWS's sentences. Called by rpc for every call.
// Source of the sentences: recorded answers of AWS's JSON services.
#include <stdio.h>
#include <string.h>

#include "common/auth/sigv4.h"
#include "common/auth/sigv4_internal.h"
#include "common/base/digest.h"
#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/base/time_format.h"

const struct fault fault_missing_authentication_token = {
    .code = "MissingAuthenticationTokenException", .status = 400, .message = "Missing Authentication Token"};
const struct fault fault_incomplete_signature = {.code = "IncompleteSignatureException", .status = 400};
const struct fault fault_invalid_signature = {
    .code = "InvalidSignatureException",
    .status = 400,
    .message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
               "Access Key and signing method. Consult the service documentation for details."};
const struct fault fault_unrecognized_client = {.code = "UnrecognizedClientException",
                                                .status = 400,
                                                .message = "The security token included in the request is invalid."};
const struct fault fault_expired_token = {
    .code = "ExpiredTokenException", .status = 400, .message = "The security token included in the request is expired"};

#define ALGORITHM "AWS4-HMAC-SHA256"
#define CANONICAL_MAX (256 * 1024)

struct scope {
    struct span access_key, date, region, service, terminator, whole; // whole: without the access key
};

struct verification {
    const struct sigv4_request *request;
    const struct sigv4_rules *rules;
    struct arena *arena;
    const char **detail;
    struct span credential, signed_headers, signature, amz_date, content_hash, token;
    struct scope scope;
};

static struct span header_value(const struct sigv4_request *r, const char *name)
{
    struct span wanted = span_of(name);
    for (size_t i = 0; i < r->headers_n; i++)
        if (span_ieq(r->headers[i].name, wanted))
            return r->headers[i].value;
    return (struct span){NULL, 0};
}

static struct span cut(struct span *rest, char at)
{
    const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct span head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = head.n + (end ? 1 : 0);
    *rest = (struct span){rest->p + used, rest->n - used};
    return head;
}

static struct span trim(struct span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = (struct span){s.p + 1, s.n - 1};
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static const struct fault *fail(struct verification *v, const struct fault *fault, const char *sentence)
{
    *v->detail = sentence;
    return fault;
}

// "Credential=…, SignedHeaders=…, Signature=…"
static const struct fault *read_authorization(struct verification *v, struct span header)
{
    struct span rest = {header.p + sizeof ALGORITHM - 1, header.n - (sizeof ALGORITHM - 1)};
    while (rest.n > 0) {
        struct span part = trim(cut(&rest, ','));
        struct span name = trim(cut(&part, '='));
        if (span_is(name, "Credential"))
            v->credential = trim(part);
        else if (span_is(name, "SignedHeaders"))
            v->signed_headers = trim(part);
        else if (span_is(name, "Signature"))
            v->signature = trim(part);
    }
    struct buf b;
    buf_init(&b, CANONICAL_MAX);
    if (!v->credential.n)
        buf_append_str(&b, "Authorization header requires 'Credential' parameter. ");
    if (!v->signature.n)
        buf_append_str(&b, "Authorization header requires 'Signature' parameter. ");
    if (!v->signed_headers.n)
        buf_append_str(&b, "Authorization header requires 'SignedHeaders' parameter. ");
    if (!v->amz_date.n)
        buf_append_str(&b, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    const struct fault *fault = NULL;
    if (b.len) {
        fault = &fault_incomplete_signature;
        *v->detail = arena_printf(v->arena, "%.*sAuthorization=%.*s", (int)b.len, b.data, (int)header.n, header.p);
    }
    buf_done(&b);
    return fault;
}

static const struct fault *read_scope(struct verification *v)
{
    struct span rest = v->credential;
    struct scope *s = &v->scope;
    s->access_key = cut(&rest, '/');
    s->whole = rest;
    s->date = cut(&rest, '/');
    s->region = cut(&rest, '/');
    s->service = cut(&rest, '/');
    s->terminator = rest;
    if (!s->access_key.n || !s->date.n || !s->region.n || !s->service.n || !s->terminator.n)
        return fail(v, &fault_incomplete_signature,
                    arena_printf(v->arena,
                                 "Credential must have exactly 5 slash-delimited elements, e.g. "
                                 "keyid/date/region/service/term, got '%.*s'",
                                 (int)v->credential.n, v->credential.p));
    return NULL;
}

static const struct fault *check_scope(struct verification *v)
{
    const struct scope *s = &v->scope;
    if (!span_is(s->terminator, "aws4_request"))
        return fail(v, &fault_invalid_signature,
                    arena_printf(v->arena,
                                 "Credential should be scoped with a valid terminator: 'aws4_request', not '%.*s'. ",
                                 (int)s->terminator.n, s->terminator.p));
    if (!span_is(s->service, v->rules->service))
        return fail(
            v, &fault_invalid_signature,
            arena_printf(v->arena, "Credential should be scoped to correct service: '%s'. ", v->rules->service));
    if (!region_exists(s->region))
        return fail(v, &fault_invalid_signature,
                    arena_printf(v->arena, "Credential should be scoped to a valid region, not '%.*s'. ",
                                 (int)s->region.n, s->region.p));
    return NULL;
}

static const struct fault *check_date(struct verification *v)
{
    int64_t at;
    struct span date = v->amz_date;
    if (!time_parse_amz(date, &at))
        return fail(v, &fault_incomplete_signature,
                    arena_printf(v->arena,
                                 "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
                                 "http://en.wikipedia.org/wiki/ISO_8601",
                                 (int)date.n, date.p));
    if (v->scope.date.n != 8 || memcmp(v->scope.date.p, date.p, 8) != 0)
        return fail(v, &fault_invalid_signature,
                    arena_printf(v->arena,
                                 "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
                                 "HTTP: '%.*s' != '%.8s', from '%.*s'.",
                                 (int)v->scope.date.n, v->scope.date.p, date.p, (int)date.n, date.p));
    int64_t now = v->rules->now_ns;
    char now_text[TIME_AMZ_SIZE], bound[TIME_AMZ_SIZE];
    time_amz(now, now_text);
    long long minutes = v->rules->skew_ns / (INT64_C(60) * 1000000000);
    if (at < now - v->rules->skew_ns) {
        time_amz(now - v->rules->skew_ns, bound);
        return fail(v, &fault_invalid_signature,
                    arena_printf(v->arena, "Signature expired: %.*s is now earlier than %s (%s - %lld min.)",
                                 (int)date.n, date.p, bound, now_text, minutes));
    }
    if (at > now + v->rules->skew_ns) {
        time_amz(now + v->rules->skew_ns, bound);
        return fail(v, &fault_invalid_signature,
                    arena_printf(v->arena, "Signature not yet current: %.*s is still later than %s (%s + %lld min.)",
                                 (int)date.n, date.p, bound, now_text, minutes));
    }
    return NULL;
}

static bool in_list(struct span list, struct span name)
{
    while (list.n > 0)
        if (span_ieq(cut(&list, ';'), name))
            return true;
    return false;
}

// host and every x-amz-* header must be covered, or somebody could change them on the way.
static const struct fault *check_signed_headers(struct verification *v)
{
    if (!in_list(v->signed_headers, SPAN("host")) && !in_list(v->signed_headers, SPAN(":authority")))
        return fail(v, &fault_invalid_signature,
                    "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    for (size_t i = 0; i < v->request->headers_n; i++) {
        struct span name = v->request->headers[i].name;
        if (name.n > 6 && span_ieq((struct span){name.p, 6}, SPAN("x-amz-")) && !in_list(v->signed_headers, name))
            return fail(v, &fault_invalid_signature,
                        arena_printf(v->arena, "'%.*s' must be a 'SignedHeader' in the AWS Authorization.", (int)name.n,
                                     name.p));
    }
    return NULL;
}

static bool payload_hash(struct verification *v, char out[2 * SHA256_SIZE + 1])
{
    sha256_hex(v->request->body, out);
    // Signed but not hashed bodies (UNSIGNED-PAYLOAD, STREAMING-…) are refused by these services, as is a wrong hash.
    return !v->content_hash.p || secret_eq(v->content_hash, span_of(out));
}

static bool signature_matches(struct verification *v, struct span secret, struct sigv4_cache *cache)
{
    char hash[2 * SHA256_SIZE + 1];
    if (!payload_hash(v, hash))
        return false;
    struct buf canonical, to_sign;
    buf_init(&canonical, CANONICAL_MAX);
    buf_init(&to_sign, 1024);
    bool ok = sigv4_canonical_request(v->request, v->signed_headers, span_of(hash), &canonical) &&
              sigv4_string_to_sign(v->amz_date, v->scope.whole, buf_span(&canonical), &to_sign);
    if (ok) {
        unsigned char key[SHA256_SIZE], mac[SHA256_SIZE];
        char text[2 * SHA256_SIZE + 1];
        sigv4_cached_key(cache, v->scope.access_key, secret, v->scope.date, v->scope.region, v->scope.service, key);
        hmac_sha256((struct span){(char *)key, sizeof key}, buf_span(&to_sign), mac);
        hex_encode(mac, sizeof mac, text);
        explicit_bzero(key, sizeof key);
        ok = secret_eq(v->signature, span_of(text));
    }
    buf_done(&canonical);
    buf_done(&to_sign);
    return ok;
}

static const struct fault *check_credential(struct verification *v, const struct credential *c,
                                            struct sigv4_cache *cache)
{
    if (!c->verify)
        return NULL;
    if (c->token ? !secret_eq(v->token, span_of(c->token)) : v->token.n > 0)
        return &fault_unrecognized_client;
    return signature_matches(v, c->secret, cache) ? NULL : &fault_invalid_signature;
}

static const struct fault *read_request(struct verification *v)
{
    const struct sigv4_request *r = v->request;
    struct span header = header_value(r, "authorization");
    if (!header.n)
        return &fault_missing_authentication_token;
    if (!span_starts(header, ALGORITHM) || (header.n > sizeof ALGORITHM - 1 && header.p[sizeof ALGORITHM - 1] != ' '))
        return fail(v, &fault_incomplete_signature,
                    arena_printf(v->arena, "Unsupported AWS 'algorithm': '%.*s'.", (int)cut(&header, ' ').n,
                                 header_value(r, "authorization").p));
    v->amz_date = header_value(r, "x-amz-date");
    if (!v->amz_date.n)
        v->amz_date = header_value(r, "date");
    v->content_hash = header_value(r, "x-amz-content-sha256");
    v->token = header_value(r, "x-amz-security-token");
    return read_authorization(v, header);
}

static const struct fault *check_form(struct verification *v)
{
    const struct fault *fault = read_request(v);
    if (!fault)
        fault = read_scope(v);
    if (!fault)
        fault = check_scope(v);
    if (!fault)
        fault = check_date(v);
    return fault ? fault : check_signed_headers(v);
}

const struct fault *sigv4_verify(const struct sigv4_request *r, const struct sigv4_rules *rules,
                                 struct credentials *credentials, struct sigv4_cache *cache, struct arena *arena,
                                 struct sigv4_result *out, const char **detail)
{
    *detail = NULL;
    struct verification v = {.request = r, .rules = rules, .arena = arena, .detail = detail};
    const struct fault *fault = check_form(&v);
    if (fault)
        return fault;
    struct credential c;
    if (!credentials_find(credentials, v.scope.access_key, &c))
        return &fault_unrecognized_client;
    fault = check_credential(&v, &c, cache);
    if (fault) {
        principal_unref(c.principal);
        return fault;
    }
    *out = (struct sigv4_result){
        .principal = c.principal,
        .access_key_id = v.scope.access_key,
        .region = v.scope.region,
        .signed_headers = arena_strndup(arena, v.signed_headers.p, v.signed_headers.n),
    };
    return NULL;
}

bool sigv4_header_signed(const struct sigv4_result *r, const char *lower_case_name)
{
    return in_list(span_of(r->signed_headers), span_of(lower_case_name));
}
