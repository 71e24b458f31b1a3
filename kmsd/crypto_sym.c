// Authenticated encryption for ciphertext.c and root_key.c. The cipher is fetched once, a context once a thread, which
// saves most of what a short message costs.
#include "kmsd/crypto_sym.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static EVP_CIPHER *cipher;

static void free_context(void *context)
{
    EVP_CIPHER_CTX_free(context);
}

static void setup(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!cipher || pthread_key_create(&context_key, free_context) != 0)
        abort();
}

static EVP_CIPHER_CTX *thread_context(void)
{
    pthread_once(&once, setup);
    EVP_CIPHER_CTX *c = pthread_getspecific(context_key);
    if (!c) {
        c = EVP_CIPHER_CTX_new();
        if (!c || pthread_setspecific(context_key, c) != 0)
            abort();
    }
    return c;
}

void sym_derive(const unsigned char key[SYM_KEY_SIZE], const char *label, struct span context,
                unsigned char out[SYM_KEY_SIZE])
{
    unsigned char input[256] = {0, 0, 0, 1};
    size_t n = 4, label_n = strlen(label);
    if (label_n + context.n + 9 > sizeof input)
        abort();
    memcpy(input + n, label, label_n);
    n += label_n + 1; // the label ends in a zero byte
    memcpy(input + n, context.p, context.n);
    n += context.n;
    input[n + 2] = 1; // 256 bits as a 32-bit number
    n += 4;
    hmac_sha256((struct span){(const char *)key, SYM_KEY_SIZE}, (struct span){(char *)input, n}, out);
}

static void check(int ok)
{
    if (ok != 1)
        abort();
}

static const unsigned char *bytes_of(struct span s)
{
    return (const unsigned char *)s.p;
}

void sym_seal(const unsigned char key[SYM_KEY_SIZE], const unsigned char iv[SYM_IV_SIZE], const struct span aad[2],
              struct span head, struct span in, unsigned char *out)
{
    EVP_CIPHER_CTX *c = thread_context();
    int n = 0;
    check(EVP_EncryptInit_ex2(c, cipher, key, iv, NULL));
    for (int i = 0; i < 2; i++)
        if (aad[i].n)
            check(EVP_EncryptUpdate(c, NULL, &n, bytes_of(aad[i]), (int)aad[i].n));
    if (head.n)
        check(EVP_EncryptUpdate(c, out, &n, bytes_of(head), (int)head.n));
    if (in.n)
        check(EVP_EncryptUpdate(c, out + head.n, &n, bytes_of(in), (int)in.n));
    unsigned char *end = out + head.n + in.n;
    check(EVP_EncryptFinal_ex(c, end, &n));
    check(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SYM_TAG_SIZE, end));
}

bool sym_open(const unsigned char key[SYM_KEY_SIZE], const unsigned char iv[SYM_IV_SIZE], const struct span aad[2],
              struct span in, unsigned char *out)
{
    if (in.n < SYM_TAG_SIZE)
        return false;
    EVP_CIPHER_CTX *c = thread_context();
    size_t body = in.n - SYM_TAG_SIZE;
    unsigned char tag[SYM_TAG_SIZE];
    int n = 0;
    memcpy(tag, in.p + body, sizeof tag);
    check(EVP_DecryptInit_ex2(c, cipher, key, iv, NULL));
    for (int i = 0; i < 2; i++)
        if (aad[i].n)
            check(EVP_DecryptUpdate(c, NULL, &n, bytes_of(aad[i]), (int)aad[i].n));
    if (body)
        check(EVP_DecryptUpdate(c, out, &n, bytes_of(in), (int)body));
    check(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SYM_TAG_SIZE, tag));
    if (EVP_DecryptFinal_ex(c, out + body, &n) == 1)
        return true;
    OPENSSL_cleanse(out, body);
    return false;
}
