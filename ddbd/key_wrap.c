// Key wrapping for the key hierarchy. Called by owned_key.c and by sse_work.c, which make and re-wrap keys, and by
// table_access.c, which opens tables. Where the wrapped forms are kept is the catalogue's matter.
#include "ddbd/key_wrap.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "common/base/rng.h"

#define NONCE_SIZE 12
#define TAG_SIZE 16
#define AAD_MAX 128

static struct span purpose_text(const struct key_purpose *p, char out[AAD_MAX])
{
    int n = snprintf(out, AAD_MAX, "ddbd|%s|%s|%u", p->what, p->table_id, p->version);
    return (struct span){out, n > 0 && n < AAD_MAX ? (size_t)n : 0};
}

static bool seal(EVP_CIPHER_CTX *ctx, struct span under, struct span aad, struct span key, unsigned char *out)
{
    int n = 0;
    return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, (const unsigned char *)under.p, out) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.n) == 1 &&
           EVP_EncryptUpdate(ctx, out + NONCE_SIZE, &n, (const unsigned char *)key.p, KEY_SIZE) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + NONCE_SIZE + KEY_SIZE, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, out + NONCE_SIZE + KEY_SIZE) == 1;
}

bool key_wrap(struct span under, const struct key_purpose *purpose, struct span key,
              unsigned char out[KEY_WRAPPED_SIZE])
{
    char text[AAD_MAX];
    struct span aad = purpose_text(purpose, text);
    if (under.n != KEY_SIZE || key.n != KEY_SIZE || !aad.n)
        return false;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return false;
    rng_secret(out, NONCE_SIZE);
    bool ok = seal(ctx, under, aad, key, out);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static bool open_sealed(EVP_CIPHER_CTX *ctx, struct span under, struct span aad, const unsigned char *wrapped,
                        unsigned char *key)
{
    int n = 0;
    unsigned char tag[TAG_SIZE];
    for (size_t i = 0; i < TAG_SIZE; i++)
        tag[i] = wrapped[NONCE_SIZE + KEY_SIZE + i];
    return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, (const unsigned char *)under.p, wrapped) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.n) == 1 &&
           EVP_DecryptUpdate(ctx, key, &n, wrapped + NONCE_SIZE, KEY_SIZE) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, key + KEY_SIZE, &n) == 1;
}

bool key_unwrap(struct span under, const struct key_purpose *purpose, const unsigned char wrapped[KEY_WRAPPED_SIZE],
                struct secret *key)
{
    char text[AAD_MAX];
    struct span aad = purpose_text(purpose, text);
    if (under.n != KEY_SIZE || !aad.n)
        return false;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return false;
    bool ok = secret_init(key, KEY_SIZE) && open_sealed(ctx, under, aad, wrapped, key->p);
    if (!ok)
        secret_done(key);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}
