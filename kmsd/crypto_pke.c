// RSAES-OAEP and SM2PKE, for encryption.c and source.c.
#include "kmsd/crypto_pke.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

static const struct pke_algorithm algorithms[] = {
    {"RSAES_OAEP_SHA_1", "SHA1", 20},
    {"RSAES_OAEP_SHA_256", "SHA256", 32},
    {"SM2PKE", NULL, 0},
};

const struct pke_algorithm *pke_algorithm_find(const char *name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

size_t pke_plaintext_max(const struct pke_algorithm *a, int modulus_bits)
{
    return a->digest ? (size_t)modulus_bits / 8 - 2 * a->digest_n - 2 : PKE_PLAINTEXT_MAX;
}

static EVP_PKEY_CTX *start(const struct pke_algorithm *a, EVP_PKEY *pkey, int (*init)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = c && init(c) == 1;
    if (ok && a->digest)
        ok = EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_oaep_md_name(c, a->digest, NULL) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md_name(c, a->digest, NULL) == 1;
    if (ok)
        return c;
    EVP_PKEY_CTX_free(c);
    return NULL;
}

bool pke_encrypt(const struct pke_algorithm *a, EVP_PKEY *pkey, struct span plaintext, unsigned char *out, size_t *n)
{
    EVP_PKEY_CTX *c = start(a, pkey, EVP_PKEY_encrypt_init);
    *n = PKE_CIPHERTEXT_MAX;
    bool ok = c && EVP_PKEY_encrypt(c, out, n, (const unsigned char *)plaintext.p, plaintext.n) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

// The library would take an RSA block that lacks its leading zeros (RFC 8017, 7.1.2, step 1b does not). What else is
// wrong with it is told to nobody.
bool pke_decrypt(const struct pke_algorithm *a, EVP_PKEY *pkey, struct span ciphertext, unsigned char *out, size_t *n)
{
    if (a->digest && ciphertext.n != (size_t)EVP_PKEY_get_size(pkey))
        return false;
    EVP_PKEY_CTX *c = start(a, pkey, EVP_PKEY_decrypt_init);
    *n = PKE_PLAINTEXT_MAX;
    bool ok = c && EVP_PKEY_decrypt(c, out, n, (const unsigned char *)ciphertext.p, ciphertext.n) == 1;
    EVP_PKEY_CTX_free(c);
    if (!ok) {
        OPENSSL_cleanse(out, PKE_PLAINTEXT_MAX);
        ERR_clear_error();
    }
    return ok;
}
