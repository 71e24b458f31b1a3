// Signing keys and their cache: deriving one costs four HMACs, so each worker remembers those it met. An entry is found
// by a hash of everything that the key depends on, the secret included, so that a changed secret is never answered by
// an old key.
#include <stdlib.h>
#include <string.h>

#include "common/auth/sigv4_internal.h"
#include "common/base/digest.h"

#define TEXT_MAX 256

struct entry {
    bool used;
    unsigned char n_text;
    char text[TEXT_MAX - 1]; // what the key depends on
    unsigned char key[SHA256_SIZE];
};

struct sigv4_cache {
    size_t n;
    struct entry entries[];
};

struct sigv4_cache *sigv4_cache_new(size_t entries)
{
    struct sigv4_cache *c = calloc(1, sizeof *c + entries * sizeof c->entries[0]);
    if (c)
        c->n = entries;
    return c;
}

void sigv4_cache_free(struct sigv4_cache *c)
{
    if (!c)
        return;
    explicit_bzero(c->entries, c->n * sizeof c->entries[0]);
    free(c);
}

void sigv4_signing_key(struct span secret, struct span date, struct span region, struct span service,
                       unsigned char out[32])
{
    struct buf first;
    buf_init(&first, 4096);
    buf_append_str(&first, "AWS4");
    buf_append_span(&first, secret);
    unsigned char a[SHA256_SIZE], b[SHA256_SIZE];
    hmac_sha256(buf_span(&first), date, a);
    hmac_sha256((struct span){(char *)a, sizeof a}, region, b);
    hmac_sha256((struct span){(char *)b, sizeof b}, service, a);
    hmac_sha256((struct span){(char *)a, sizeof a}, SPAN("aws4_request"), out);
    buf_wipe(&first);
    explicit_bzero(a, sizeof a);
    explicit_bzero(b, sizeof b);
}

// FNV-1a, over text that only holders of a key can make match.
static uint64_t hash_of(const char *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static size_t append(char *to, size_t at, struct span s)
{
    if (at + s.n + 1 > TEXT_MAX - 1)
        return TEXT_MAX;
    memcpy(to + at, s.p, s.n);
    to[at + s.n] = '\0';
    return at + s.n + 1;
}

void sigv4_cached_key(struct sigv4_cache *cache, struct span access_key, struct span secret, struct span date,
                      struct span region, struct span service, unsigned char out[32])
{
    char text[TEXT_MAX];
    struct span parts[] = {access_key, secret, date, region, service};
    size_t n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && n < TEXT_MAX; i++)
        n = append(text, n, parts[i]);
    if (!cache || n >= TEXT_MAX) {
        sigv4_signing_key(secret, date, region, service, out);
        explicit_bzero(text, sizeof text);
        return;
    }
    struct entry *e = &cache->entries[hash_of(text, n) % cache->n];
    if (!e->used || e->n_text != n || memcmp(e->text, text, n) != 0) {
        sigv4_signing_key(secret, date, region, service, e->key);
        memcpy(e->text, text, n);
        e->n_text = (unsigned char)n;
        e->used = true;
    }
    memcpy(out, e->key, SHA256_SIZE);
    explicit_bzero(text, sizeof text);
}
