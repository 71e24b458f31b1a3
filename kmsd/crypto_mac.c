// HMACs, for op_mac.c.
#include "kmsd/crypto_mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MAC *hmac;

static void fetch(void)
{
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static const char *digest_of(struct span algorithm)
{
    static const char *const names[][2] = {
        {"HMAC_SHA_224", "SHA224"}, {"HMAC_SHA_256", "SHA256"}, {"HMAC_SHA_384", "SHA384"}, {"HMAC_SHA_512", "SHA512"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_is(algorithm, names[i][0]))
            return names[i][1];
    return NULL;
}

bool crypto_mac(struct span algorithm, struct span key, struct span message, unsigned char mac[MAC_SIZE_MAX], size_t *n)
{
    const char *digest = digest_of(algorithm);
    pthread_once(&once, fetch);
    EVP_MAC_CTX *c = digest ? EVP_MAC_CTX_new(hmac) : NULL;
    const OSSL_PARAM with[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool ok = c && EVP_MAC_init(c, (const unsigned char *)key.p, key.n, with) == 1 &&
              EVP_MAC_update(c, (const unsigned char *)message.p, message.n) == 1 &&
              EVP_MAC_final(c, mac, n, MAC_SIZE_MAX) == 1;
    EVP_MAC_CTX_free(c);
    return ok;
}
