// Verification of a signed request: its form first (sigv4_form.c), then whose it is, then the signature. Called by rpc
// for every call.
#include <openssl/crypto.h>
#include <string.h>

#include "common/auth/sigv4.h"
#include "common/auth/sigv4_internal.h"
#include "common/base/encode.h"
#include "common/base/secret.h"

const struct fault fault_unrecognized_client = {.code = "UnrecognizedClientException",
                                                .status = 400,
                                                .message = "The security token included in the request is invalid."};
const struct fault fault_expired_token = {
    .code = "ExpiredTokenException", .status = 400, .message = "The security token included in the request is expired"};

#define CANONICAL_MAX (256 * 1024)
// What the scratch buffer keeps from one call to the next.
#define SCRATCH_KEEP (8 * 1024)

struct verification {
    const struct sigv4_request *request;
    const struct sigv4_form *form;
    const struct credential *credential;
    struct sigv4_cache *cache;
};

static bool sign(const struct verification *v, const char *hash, struct buf *b, char out[2 * SHA256_SIZE + 1])
{
    const struct sigv4_form *f = v->form;
    if (!sigv4_canonical_request(v->request, f->signed_headers, span_of(hash), b))
        return false;
    size_t at = b->len;
    if (!sigv4_string_to_sign(f->amz_date, f->scope, buf_span(b), b))
        return false;
    unsigned char key[SHA256_SIZE], mac[SHA256_SIZE];
    sigv4_cached_key(v->cache, v->credential->secret_id, v->credential->secret, f->date, f->region, f->service, key);
    hmac_sha256((struct span){(char *)key, sizeof key}, (struct span){b->data + at, b->len - at}, mac);
    OPENSSL_cleanse(key, sizeof key);
    hex_encode(mac, sizeof mac, out);
    return true;
}

static bool signature_matches(const struct verification *v, const char *hash)
{
    char expected[2 * SHA256_SIZE + 1];
    struct buf own, *scratch = sigv4_cache_scratch(v->cache);
    if (!scratch)
        scratch = &own;
    buf_init(&own, CANONICAL_MAX);
    bool ok = sign(v, hash, scratch, expected) && secret_eq(v->form->signature, span_of(expected));
    buf_reset(scratch, SCRATCH_KEEP);
    buf_done(&own);
    return ok;
}

// A session's key means nothing without its token; with a lasting key a token is only wrong once the signature is
// right.
static const struct fault *check_credential(const struct verification *v)
{
    const char *token = v->credential->token;
    bool verify = v->credential->verify;
    if (verify && token && !secret_eq(v->form->token, span_of(token)))
        return &fault_unrecognized_client;
    struct span claimed = v->form->content_hash;
    if (!verify && !claimed.p)
        return NULL;
    char hash[2 * SHA256_SIZE + 1];
    sha256_hex(v->request->body, hash);
    // Bodies that are not covered (UNSIGNED-PAYLOAD, STREAMING-…) are refused by these services, as is a wrong hash;
    // from strangers, too.
    if (claimed.p && !secret_eq(claimed, span_of(hash)))
        return &fault_invalid_signature;
    if (!verify)
        return NULL;
    if (!signature_matches(v, hash))
        return &fault_invalid_signature;
    return !token && v->form->token.n ? &fault_unrecognized_client : NULL;
}

const struct fault *sigv4_verify(const struct sigv4_request *r, const struct sigv4_rules *rules,
                                 struct credentials *credentials, struct sigv4_cache *cache, struct arena *arena,
                                 struct sigv4_result *out, const char **detail)
{
    *detail = NULL;
    struct sigv4_form form;
    const struct fault *fault = sigv4_read_form(r, rules, arena, &form, detail);
    if (fault)
        return fault;
    struct credential c;
    if (!credentials_find(credentials, form.access_key, &c))
        return &fault_unrecognized_client;
    struct verification v = {r, &form, &c, cache};
    fault = check_credential(&v);
    if (fault) {
        principal_unref(c.principal);
        return fault;
    }
    *out = (struct sigv4_result){
        .principal = c.principal,
        .access_key_id = form.access_key,
        .region = form.region,
        .signed_headers = form.signed_headers.p,
    };
    return NULL;
}

bool sigv4_header_signed(const struct sigv4_result *r, const char *lower_case_name)
{
    return sigv4_in_list(span_of(r->signed_headers), span_of(lower_case_name));
}
