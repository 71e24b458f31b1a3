// Sealing of pages: AES-256-GCM contexts fetched and keyed once a file, nonces drawn in batches. Knows no file layout.
#include "ddbd/page_seal.h"

#include <string.h>

#include "common/base/rng.h"

static EVP_CIPHER_CTX *keyed(const EVP_CIPHER *cipher, const unsigned char *key, int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_CipherInit_ex2(ctx, cipher, key, NULL, encrypt, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

bool page_seal_init(struct page_seal *s, const unsigned char key[32])
{
    *s = (struct page_seal){0};
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!cipher)
        return false;
    s->encrypt = keyed(cipher, key, 1);
    s->decrypt = keyed(cipher, key, 0);
    EVP_CIPHER_free(cipher);
    if (s->encrypt && s->decrypt)
        return true;
    page_seal_done(s);
    return false;
}

void page_seal_done(struct page_seal *s)
{
    EVP_CIPHER_CTX_free(s->encrypt);
    EVP_CIPHER_CTX_free(s->decrypt);
    *s = (struct page_seal){0};
}

// A batch costs one visit to the generator instead of 64. A child of fork() must not write with a parent's seal.
static void next_nonce(struct page_seal *s, unsigned char nonce[PAGE_SEAL_NONCE])
{
    if (!s->nonces_left) {
        rng_secret(s->nonces, sizeof s->nonces);
        s->nonces_left = sizeof s->nonces;
    }
    s->nonces_left -= PAGE_SEAL_NONCE;
    memcpy(nonce, s->nonces + s->nonces_left, PAGE_SEAL_NONCE);
}

static bool update(EVP_CIPHER_CTX *ctx, unsigned char *out, const void *in, size_t n)
{
    int done = 0;
    return !n || (EVP_CipherUpdate(ctx, out, &done, in, (int)n) == 1 && (size_t)done == n);
}

bool page_seal_close(struct page_seal *s, struct span aad, struct span part1, unsigned char *out1, struct span part2,
                     unsigned char *out2, unsigned char trailer[PAGE_SEAL_SIZE])
{
    unsigned char nothing[16];
    int done;
    EVP_CIPHER_CTX *ctx = s->encrypt;
    next_nonce(s, trailer);
    return EVP_CipherInit_ex2(ctx, NULL, NULL, trailer, 1, NULL) == 1 && update(ctx, NULL, aad.p, aad.n) &&
           update(ctx, out1, part1.p, part1.n) && update(ctx, out2, part2.p, part2.n) &&
           EVP_CipherFinal_ex(ctx, nothing, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, PAGE_SEAL_TAG, trailer + PAGE_SEAL_NONCE) == 1;
}

bool page_seal_open(struct page_seal *s, struct span aad, unsigned char *part1, size_t n1, unsigned char *part2,
                    size_t n2, const unsigned char trailer[PAGE_SEAL_SIZE])
{
    unsigned char nothing[16], tag[PAGE_SEAL_TAG];
    int done;
    EVP_CIPHER_CTX *ctx = s->decrypt;
    memcpy(tag, trailer + PAGE_SEAL_NONCE, PAGE_SEAL_TAG);
    return EVP_CipherInit_ex2(ctx, NULL, NULL, trailer, 0, NULL) == 1 && update(ctx, NULL, aad.p, aad.n) &&
           update(ctx, part1, part1, n1) && update(ctx, part2, part2, n2) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, PAGE_SEAL_TAG, tag) == 1 &&
           EVP_CipherFinal_ex(ctx, nothing, &done) == 1;
}
