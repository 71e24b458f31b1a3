// Any bytes as the other side's public key in a key agreement: whatever is taken must lead to a secret.
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/crypto_agree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static EVP_PKEY *own[2];
    for (size_t i = 0; i < 2; i++) {
        unsigned char secret[AGREE_SECRET_MAX];
        size_t n;
        if (!own[i])
            own[i] = i ? EVP_PKEY_Q_keygen(NULL, NULL, "SM2") : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        EVP_PKEY *peer = agree_peer(own[i], (struct span){(const char *)data, size});
        if (peer && (!agree_derive(own[i], peer, secret, &n) || n != 32))
            __builtin_trap();
        EVP_PKEY_free(peer);
    }
    return 0;
}
