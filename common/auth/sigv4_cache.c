// Signing keys and their cache: deriving one costs four HMACs, so each worker remembers those it met. An entry is found
// by a hash of everything that the key depends on. The secret is named by its number, which no other secret of this
// process ever had, so that a changed secret is never answered by an old key. Used by sigv4_verify().
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/sigv4_internal.h"
#include "common/base/fnv.h"

#define TEXT_MAX 95
#define SCRATCH_MAX (256 * 1024)

struct entry {
    unsigned char n_text; // 0: free
    char text[TEXT_MAX];  // what the key depends on
    unsigned char key[SHA256_SIZE];
};

struct sigv4_cache {
    struct buf scratch;
    size_t n;
    struct entry entries[];
};

struct sigv4_cache *sigv4_cache_new(size_t entries)
{
    struct sigv4_cache *c = calloc(1, sizeof *c + entries * sizeof c->entries[0]);
    if (!c)
        return NULL;
    c->n = entries;
    buf_init(&c->scratch, SCRATCH_MAX);
    return c;
}

void sigv4_cache_free(struct sigv4_cache *c)
{
    if (!c)
        return;
    OPENSSL_cleanse(c->entries, c->n * sizeof c->entries[0]);
    buf_wipe(&c->scratch);
    free(c);
}

void sigv4_signing_key(struct span secret, struct span date, struct span region, struct span service,
                       unsigned char out[32])
{
    struct buf first;
    buf_init(&first, secret.n + 4);
    // A key from less than the whole secret would let in whoever knows less.
    if (!buf_append_str(&first, "AWS4") || !buf_append_span(&first, secret))
        abort();
    unsigned char a[SHA256_SIZE], b[SHA256_SIZE];
    hmac_sha256(buf_span(&first), date, a);
    hmac_sha256((struct span){(char *)a, sizeof a}, region, b);
    hmac_sha256((struct span){(char *)b, sizeof b}, service, a);
    hmac_sha256((struct span){(char *)a, sizeof a}, SPAN("aws4_request"), out);
    buf_wipe(&first);
    OPENSSL_cleanse(a, sizeof a);
    OPENSSL_cleanse(b, sizeof b);
}

static size_t append(char *to, size_t at, struct span s)
{
    if (at > TEXT_MAX || s.n + 1 > TEXT_MAX - at)
        return TEXT_MAX + 1;
    memcpy(to + at, s.p, s.n);
    to[at + s.n] = '/';
    return at + s.n + 1;
}

// Length of the text, beyond TEXT_MAX when it does not fit.
static size_t text_of(char text[TEXT_MAX], uint64_t secret_id, struct span date, struct span region,
                      struct span service)
{
    size_t n = append(text, 0, (struct span){(const char *)&secret_id, sizeof secret_id});
    n = append(text, n, date);
    n = append(text, n, region);
    return append(text, n, service);
}

void sigv4_cached_key(struct sigv4_cache *cache, uint64_t secret_id, struct span secret, struct span date,
                      struct span region, struct span service, unsigned char out[SHA256_SIZE])
{
    char text[TEXT_MAX];
    size_t n = text_of(text, secret_id, date, region, service);
    if (!cache || cache->n == 0 || n > TEXT_MAX) {
        sigv4_signing_key(secret, date, region, service, out);
        return;
    }
    struct entry *e = &cache->entries[fnv_span(FNV_START, (struct span){text, n}) % cache->n];
    if (e->n_text != n || memcmp(e->text, text, n) != 0) {
        sigv4_signing_key(secret, date, region, service, e->key);
        memcpy(e->text, text, n);
        e->n_text = (unsigned char)n;
    }
    memcpy(out, e->key, SHA256_SIZE);
}

struct buf *sigv4_cache_scratch(struct sigv4_cache *cache)
{
    return cache ? &cache->scratch : NULL;
}
