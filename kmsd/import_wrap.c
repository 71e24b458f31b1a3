// Wrapping algorithms of imported key material, on OpenSSL.
#include "kmsd/import_wrap.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "kmsd/crypto_pke.h"
#include "kmsd/key_type.h"

#define AES_KEY_SIZE 32
#define AES_BLOCK 8 // of AES key wrap

const char *const wrapping_names[WRAPPINGS + 1] = {
    [WRAPPING_RSAES_PKCS1_V1_5] = "RSAES_PKCS1_V1_5",
    [WRAPPING_RSAES_OAEP_SHA_1] = "RSAES_OAEP_SHA_1",
    [WRAPPING_RSAES_OAEP_SHA_256] = "RSAES_OAEP_SHA_256",
    [WRAPPING_RSA_AES_KEY_WRAP_SHA_1] = "RSA_AES_KEY_WRAP_SHA_1",
    [WRAPPING_RSA_AES_KEY_WRAP_SHA_256] = "RSA_AES_KEY_WRAP_SHA_256",
    [WRAPPING_SM2PKE] = "SM2PKE",
};
const char *const wrapping_key_specs[] = {"RSA_2048", "RSA_3072", "RSA_4096", "SM2", NULL};

bool wrapping_find(struct span name, enum wrapping *out)
{
    for (int i = 0; i < WRAPPINGS; i++) {
        if (span_is(name, wrapping_names[i])) {
            *out = (enum wrapping)i;
            return true;
        }
    }
    return false;
}

static bool is_hybrid(enum wrapping w)
{
    return w == WRAPPING_RSA_AES_KEY_WRAP_SHA_1 || w == WRAPPING_RSA_AES_KEY_WRAP_SHA_256;
}

// Private RSA keys are longer than what RSA takes, and so is one of P-521 for RSA_2048.
static bool too_long(const struct key_spec *wrapping_key, const struct key_spec *key)
{
    return key->type == &key_type_rsa || (strcmp(key->name, "ECC_NIST_P521") == 0 && wrapping_key->bits == 2048);
}

bool wrapping_allowed(enum wrapping w, const struct key_spec *wrapping_key, const struct key_spec *key, bool china)
{
    if (w == WRAPPING_RSAES_PKCS1_V1_5)
        return false;
    if (w == WRAPPING_SM2PKE || wrapping_key->type == &key_type_sm2)
        return china && w == WRAPPING_SM2PKE && wrapping_key->type == &key_type_sm2;
    return is_hybrid(w) ? !china : !too_long(wrapping_key, key);
}

bool wrapping_size_ok(enum wrapping w, EVP_PKEY *wrapping_key, size_t n)
{
    size_t modulus = (size_t)EVP_PKEY_get_size(wrapping_key);
    if (w == WRAPPING_SM2PKE)
        return true;
    if (!is_hybrid(w))
        return n == modulus;
    return n >= modulus + 2 * AES_BLOCK && (n - modulus) % AES_BLOCK == 0;
}

// pke: the algorithm's public-key encryption.
static bool decrypt(const char *pke, EVP_PKEY *key, struct span in, struct secret *out)
{
    unsigned char whole[PKE_PLAINTEXT_MAX];
    size_t n;
    bool ok = pke_decrypt(pke_algorithm_find(pke), key, in, whole, &n) && secret_copy(out, whole, n);
    OPENSSL_cleanse(whole, sizeof whole);
    return ok;
}

// RFC 5649.
static bool unwrap_aes(struct span key, struct span in, struct secret *out)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    struct secret whole = {0};
    int n = 0, rest = 0;
    if (c)
        EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool ok = cipher && c && key.n == AES_KEY_SIZE && secret_init(&whole, in.n) &&
              EVP_DecryptInit_ex(c, cipher, NULL, (const unsigned char *)key.p, NULL) == 1 &&
              EVP_DecryptUpdate(c, whole.p, &n, (const unsigned char *)in.p, (int)in.n) == 1 &&
              EVP_DecryptFinal_ex(c, whole.p + n, &rest) == 1 && n + rest > 0 &&
              secret_copy(out, whole.p, (size_t)(n + rest));
    secret_done(&whole);
    EVP_CIPHER_CTX_free(c);
    EVP_CIPHER_free(cipher);
    return ok;
}

static bool open_hybrid(const char *pke, EVP_PKEY *key, struct span in, struct secret *out)
{
    size_t modulus = (size_t)EVP_PKEY_get_size(key);
    struct secret aes = {0};
    bool ok = in.n > modulus && decrypt(pke, key, (struct span){in.p, modulus}, &aes) &&
              unwrap_aes(secret_span(&aes), (struct span){in.p + modulus, in.n - modulus}, out);
    secret_done(&aes);
    ERR_clear_error();
    return ok;
}

bool wrapping_open(enum wrapping w, EVP_PKEY *wrapping_key, struct span wrapped, struct secret *material)
{
    switch (w) {
    case WRAPPING_RSAES_OAEP_SHA_1:
    case WRAPPING_RSAES_OAEP_SHA_256:
    case WRAPPING_SM2PKE:
        return decrypt(wrapping_names[w], wrapping_key, wrapped, material);
    case WRAPPING_RSA_AES_KEY_WRAP_SHA_1:
        return open_hybrid("RSAES_OAEP_SHA_1", wrapping_key, wrapped, material);
    case WRAPPING_RSA_AES_KEY_WRAP_SHA_256:
        return open_hybrid("RSAES_OAEP_SHA_256", wrapping_key, wrapped, material);
    case WRAPPING_RSAES_PKCS1_V1_5:
    case WRAPPINGS:
        break;
    }
    return false;
}
