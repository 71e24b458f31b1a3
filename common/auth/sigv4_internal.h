// What the files of SigV4 share; nobody else includes it.
#pragma once

#include "common/auth/sigv4.h"
#include "common/base/digest.h"

// A request's signature, taken apart. Spans point into the request or the arena.
struct sigv4_form {
    struct span access_key, date, region, service; // of Credential
    struct span scope;                             // "date/region/service/aws4_request"
    struct span signed_headers;                    // lower case, NUL-terminated
    struct span signature;
    struct span amz_date;
    struct span content_hash, token; // .p is NULL when the header is absent
};

// Judges all that needs no secret: a signature is there, well formed, of now, for this service and a Region, over the
// headers that matter. Errors and *detail as sigv4_verify().
MUST_CHECK const struct fault *sigv4_read_form(const struct sigv4_request *r, const struct sigv4_rules *rules,
                                               struct arena *arena, struct sigv4_form *form, const char **detail);

// The text before the next `at`, which is taken off rest together with it.
struct span sigv4_cut(struct span *rest, char at);
// Is name one of the list's names (separated by ';')? In any case of letters.
bool sigv4_in_list(struct span list, struct span name);

// The signing key, from the cache or derived and remembered. cache may be NULL.
void sigv4_cached_key(struct sigv4_cache *cache, uint64_t secret_id, struct span secret, struct span date,
                      struct span region, struct span service, unsigned char out[SHA256_SIZE]);
// Memory for one verification at a time, kept from call to call. NULL without a cache.
struct buf *sigv4_cache_scratch(struct sigv4_cache *cache);
