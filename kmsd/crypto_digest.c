// One table of hash functions for crypto_sign.c and crypto_mac.c.
#include "kmsd/crypto_digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

static struct {
    const char *name;
    EVP_MD *md;
} digests[] = {{"SHA224", NULL}, {"SHA256", NULL}, {"SHA384", NULL}, {"SHA512", NULL}, {"SM3", NULL}};

#define DIGESTS_N (sizeof digests / sizeof digests[0])

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    for (size_t i = 0; i < DIGESTS_N; i++)
        digests[i].md = EVP_MD_fetch(NULL, digests[i].name, NULL);
}

const EVP_MD *crypto_digest(const char *name)
{
    pthread_once(&once, fetch);
    for (size_t i = 0; i < DIGESTS_N; i++)
        if (strcmp(digests[i].name, name) == 0)
            return digests[i].md;
    return NULL;
}
