// Randomness. Ids come from one locked pool, filled by the operating system's generator or, when a seed asks for
// reproducible ids, by AES-256-CTR under a key derived from the seed. Secrets never pass through the pool: each thread
// has a batch of its own for them. The only file that calls OpenSSL's generator. The daemons do not fork; a child that
// did would repeat its parent's pool and batch.
#include "common/base/rng.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"

#define POOL_SIZE 4096

struct rng {
    pthread_mutex_t lock;
    EVP_CIPHER_CTX *stream; // NULL: not seeded
    size_t left;            // unused bytes, at the pool's end
    unsigned char pool[POOL_SIZE];
};

// The version in the label lets a later change of the stream not be mistaken for the same ids.
static EVP_CIPHER_CTX *stream_new(const char *seed)
{
    unsigned char key[SHA256_SIZE];
    static const unsigned char start[16];
    hmac_sha256(SPAN("ids, version 1"), span_of(seed), key);
    EVP_CIPHER_CTX *stream = EVP_CIPHER_CTX_new();
    if (!stream || EVP_EncryptInit_ex(stream, EVP_aes_256_ctr(), NULL, key, start) != 1)
        abort();
    return stream;
}

struct rng *rng_new(const char *seed)
{
    struct rng *r = calloc(1, sizeof *r);
    if (!r || pthread_mutex_init(&r->lock, NULL) != 0)
        abort();
    if (seed)
        r->stream = stream_new(seed);
    return r;
}

void rng_free(struct rng *r)
{
    if (!r)
        return;
    EVP_CIPHER_CTX_free(r->stream);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void refill(struct rng *r)
{
    static const unsigned char zeros[POOL_SIZE];
    int n;
    if (r->stream ? EVP_EncryptUpdate(r->stream, r->pool, &n, zeros, POOL_SIZE) != 1
                  : RAND_bytes(r->pool, POOL_SIZE) != 1)
        abort();
    r->left = POOL_SIZE;
}

void rng_id(struct rng *r, void *out, size_t n)
{
    unsigned char *to = out;
    pthread_mutex_lock(&r->lock);
    while (n) {
        if (r->left == 0)
            refill(r);
        size_t part = n < r->left ? n : r->left;
        memcpy(to, r->pool + (POOL_SIZE - r->left), part);
        r->left -= part;
        to += part;
        n -= part;
    }
    pthread_mutex_unlock(&r->lock);
}

static void generate_secret(unsigned char *to, size_t n)
{
    const size_t most = 1 << 30; // the generator counts by int
    for (size_t part; n; to += part, n -= part) {
        part = n < most ? n : most;
        if (RAND_priv_bytes(to, (int)part) != 1)
            abort();
    }
}

// A visit to the generator costs as much for 32 bytes as for 512 (measured: 540 and 585 ns, a system call included).
// What is left when the thread ends was nobody's secret.
static _Thread_local unsigned char secrets[512];
static _Thread_local size_t secrets_left; // unused bytes, at the end

void rng_secret(void *out, size_t n)
{
    if (n > sizeof secrets / 4) {
        generate_secret(out, n);
        return;
    }
    if (n > secrets_left) {
        generate_secret(secrets, sizeof secrets);
        secrets_left = sizeof secrets;
    }
    if (n == 0)
        return;
    unsigned char *from = secrets + (sizeof secrets - secrets_left);
    memcpy(out, from, n);
    OPENSSL_cleanse(from, n); // given away: no copy stays
    secrets_left -= n;
}
