// How long a signature (ECDSA P-256 with SHA-256, of 32 bytes) takes by OpenSSL alone: prints seconds of CPU time. What
// kmsd's Sign is compared with by measure.py.
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIGNATURES 20000

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY_CTX *c = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
    unsigned char message[32] = {1}, digest[32], signature[128];
    if (!c || EVP_PKEY_sign_init(c) != 1)
        return 1;
    double begin = cpu_seconds();
    for (int i = 0; i < SIGNATURES; i++) {
        size_t n = sizeof signature;
        if (EVP_Q_digest(NULL, "SHA256", NULL, message, sizeof message, digest, NULL) != 1 ||
            EVP_PKEY_sign(c, signature, &n, digest, sizeof digest) != 1)
            return 1;
    }
    printf("%.9f\n", (cpu_seconds() - begin) / SIGNATURES);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(pkey);
    return 0;
}
