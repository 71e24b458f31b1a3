// Signing: ddbd's calls to kmsd.
#include <ctype.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/sigv4.h"
#include "common/auth/sigv4_internal.h"
#include "common/base/digest.h"
#include "common/base/encode.h"
#include "common/base/time_format.h"

#define HEADERS_MAX 64

static int compare_names(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = strncasecmp(x->p, y->p, n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static bool signed_headers(const struct sigv4_request *r, struct buf *out)
{
    struct span names[HEADERS_MAX];
    if (r->headers_n > HEADERS_MAX)
        return false;
    for (size_t i = 0; i < r->headers_n; i++)
        names[i] = r->headers[i].name;
    qsort(names, r->headers_n, sizeof names[0], compare_names);
    for (size_t i = 0; i < r->headers_n; i++) {
        if (i)
            buf_append_char(out, ';');
        for (size_t j = 0; j < names[i].n; j++)
            buf_append_char(out, (char)tolower((unsigned char)names[i].p[j]));
    }
    return buf_ok(out);
}

bool sigv4_sign(const struct sigv4_request *r, struct span access_key_id, struct span secret, struct span region,
                struct span service, int64_t sign_date_ns, struct buf *authorization)
{
    char date[TIME_AMZ_SIZE], hash[2 * SHA256_SIZE + 1];
    time_amz(sign_date_ns, date);
    sha256_hex(r->body, hash);
    struct buf names, scope, canonical, to_sign;
    buf_init(&names, 4096);
    buf_init(&scope, 512);
    buf_init(&canonical, 256 * 1024);
    buf_init(&to_sign, 1024);
    buf_appendf(&scope, "%.8s/%.*s/%.*s/aws4_request", date, (int)region.n, region.p, (int)service.n, service.p);
    bool ok = buf_ok(&scope) && signed_headers(r, &names) &&
              sigv4_canonical_request(r, buf_span(&names), span_of(hash), &canonical) &&
              sigv4_string_to_sign(span_of(date), buf_span(&scope), buf_span(&canonical), &to_sign);
    if (ok) {
        unsigned char key[SHA256_SIZE], mac[SHA256_SIZE];
        char signature[2 * SHA256_SIZE + 1];
        sigv4_signing_key(secret, (struct span){date, 8}, region, service, key);
        hmac_sha256((struct span){(char *)key, sizeof key}, buf_span(&to_sign), mac);
        OPENSSL_cleanse(key, sizeof key);
        hex_encode(mac, sizeof mac, signature);
        ok = buf_appendf(authorization, "AWS4-HMAC-SHA256 Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%s",
                         (int)access_key_id.n, access_key_id.p, (int)scope.len, scope.data, (int)names.len, names.data,
                         signature);
    }
    buf_done(&names);
    buf_done(&scope);
    buf_done(&canonical);
    buf_done(&to_sign);
    return ok;
}
