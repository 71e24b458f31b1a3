// AWS Signature Version 4, header form: verification for the daemons, signing for ddbd's calls to kmsd.
// Source: AWS General Reference, "Signature Version 4 signing process"; error sentences: AWS's JSON services.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/auth/credentials.h"
#include "common/base/arena.h"
#include "common/base/header.h"

// The request as it came: nothing decoded.
struct sigv4_request {
    struct span method;
    struct span target; // path and query
    const struct header *headers;
    size_t headers_n;
    struct span body;
};

struct sigv4_rules {
    const char *service; // what the scope must name: "kms", "dynamodb"
    int64_t now_ns;      // the real clock
    int64_t skew_ns;     // five minutes
};

// Derived signing keys, one cache per worker: (access key, date, Region, service) -> key. Wiped when freed.
struct sigv4_cache;
struct sigv4_cache *sigv4_cache_new(size_t entries);
void sigv4_cache_free(struct sigv4_cache *c);

struct sigv4_result {
    const struct principal *principal; // counted
    struct span access_key_id;
    struct span region;         // of the scope, a Region that exists
    const char *signed_headers; // NUL-terminated list in the arena, for sigv4_header_signed()
};

extern const struct fault fault_missing_authentication_token; // MissingAuthenticationTokenException
extern const struct fault fault_incomplete_signature;         // IncompleteSignatureException
extern const struct fault fault_invalid_signature;            // InvalidSignatureException
extern const struct fault fault_unrecognized_client;          // UnrecognizedClientException
extern const struct fault fault_expired_token;                // ExpiredTokenException

// Verifies everything, in AWS's order: form, date, signed headers (host and x-amz-*; x-amz-date and x-amz-user-agent
// may be left out), algorithm, scope, access key, session token, signature over the body as it came. Signatures in the
// query string are refused. NULL is success and fills out. *detail gets the sentence for the client (arena), or NULL
// when the fault's own message is it. The header named "authorization" is never logged.
MUST_CHECK const struct fault *sigv4_verify(const struct sigv4_request *r, const struct sigv4_rules *rules,
                                            struct credentials *credentials, struct sigv4_cache *cache,
                                            struct arena *arena, struct sigv4_result *out, const char **detail);
// Was this header covered by the signature?
bool sigv4_header_signed(const struct sigv4_result *r, const char *lower_case_name);

// The stages, for the tests against AWS's published vectors. signed_headers: lower case, separated by ';'. False when a
// signed header is not there, or the query is malformed.
bool sigv4_canonical_request(const struct sigv4_request *r, struct span signed_headers, struct span payload_hash,
                             struct buf *out);
bool sigv4_string_to_sign(struct span amz_date, struct span scope, struct span canonical_request, struct buf *out);
void sigv4_signing_key(struct span secret, struct span date, struct span region, struct span service,
                       unsigned char out[32]);

// Signs: fills date (x-amz-date value) and authorization (header value). r->headers must hold every header to sign,
// host and x-amz-date included (its value is set by the caller from sign_date_ns with time_amz()).
MUST_CHECK bool sigv4_sign(const struct sigv4_request *r, struct span access_key_id, struct span secret,
                           struct span region, struct span service, int64_t sign_date_ns, struct buf *authorization);
