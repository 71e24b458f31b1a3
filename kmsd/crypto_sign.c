// Signing and verifying, for op_sign.c. Two ways lead through the library: most algorithms sign a digest, which is
// made here unless the caller made it; Ed25519, ML-DSA and SM2 take the message whole and hash it in their own way.
#include "kmsd/crypto_sign.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "kmsd/crypto_digest.h"

const char *const message_type_names[MESSAGE_TYPES + 1] = {
    [MESSAGE_RAW] = "RAW",
    [MESSAGE_DIGEST] = "DIGEST",
    [MESSAGE_EXTERNAL_MU] = "EXTERNAL_MU",
};

#define RAW (1u << MESSAGE_RAW)
#define DIGEST (1u << MESSAGE_DIGEST)
#define MU (1u << MESSAGE_EXTERNAL_MU)
#define HASHED(digest_, bits_) .digest = digest_, .digest_n = (bits_) / 8, .types = RAW | DIGEST

// The identity of the signer that AWS documents.
static char sm2_identity[] = "1234567812345678";
static const OSSL_PARAM of_identity[] = {
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_DIST_ID, sm2_identity, sizeof sm2_identity - 1), OSSL_PARAM_END};
static char prehash[] = "Ed25519ph";
static const OSSL_PARAM of_prehash[] = {OSSL_PARAM_utf8_string("instance", prehash, sizeof prehash - 1),
                                        OSSL_PARAM_END};
static int yes = 1;
static const OSSL_PARAM of_mu[] = {OSSL_PARAM_int("mu", &yes), OSSL_PARAM_END};

// clang-format off
const struct sign_algorithm sign_algorithms[] = {
    {"RSASSA_PSS_SHA_256", HASHED("SHA256", 256), .padding = RSA_PKCS1_PSS_PADDING},
    {"RSASSA_PSS_SHA_384", HASHED("SHA384", 384), .padding = RSA_PKCS1_PSS_PADDING},
    {"RSASSA_PSS_SHA_512", HASHED("SHA512", 512), .padding = RSA_PKCS1_PSS_PADDING},
    {"RSASSA_PKCS1_V1_5_SHA_256", HASHED("SHA256", 256), .padding = RSA_PKCS1_PADDING},
    {"RSASSA_PKCS1_V1_5_SHA_384", HASHED("SHA384", 384), .padding = RSA_PKCS1_PADDING},
    {"RSASSA_PKCS1_V1_5_SHA_512", HASHED("SHA512", 512), .padding = RSA_PKCS1_PADDING},
    {"ECDSA_SHA_256", HASHED("SHA256", 256)},
    {"ECDSA_SHA_384", HASHED("SHA384", 384)},
    {"ECDSA_SHA_512", HASHED("SHA512", 512)},
    {"ED25519_SHA_512", .types = RAW, .whole = RAW},
    // The caller's digest is the message here: it is hashed once more (FIPS 186-5, 7.8.1).
    {"ED25519_PH_SHA_512", .digest_n = 64, .types = DIGEST, .whole = DIGEST, .scheme = "ED25519",
     .option = of_prehash, .option_types = DIGEST},
    {"SM2DSA", HASHED("SM3", 256), .whole = RAW, .scheme = "SM2",
     .option = of_identity, .option_types = RAW},
    {"ML_DSA_SHAKE_256", .digest_n = 64, .types = RAW | MU, .whole = RAW | MU, .scheme = "ML-DSA-44",
     .option = of_mu, .option_types = MU},
    {NULL},
};
// clang-format on

enum message_type message_type_find(struct span name)
{
    for (int i = 0; name.p && i < MESSAGE_TYPES; i++)
        if (span_is(name, message_type_names[i]))
            return (enum message_type)i;
    return MESSAGE_RAW;
}

const struct sign_algorithm *sign_algorithm_find(struct span name)
{
    for (const struct sign_algorithm *a = sign_algorithms; a->name; a++)
        if (span_is(name, a->name))
            return a;
    return NULL;
}

static bool has_option(const struct sign_algorithm *a, enum message_type type)
{
    return a->option_types >> type & 1;
}

// A library without the option would take it in silence and make another kind of signature.
bool sign_available(const struct sign_algorithm *a, enum message_type type)
{
    if (!a->scheme)
        return true;
    EVP_SIGNATURE *scheme = EVP_SIGNATURE_fetch(NULL, a->scheme, NULL);
    bool ok = scheme != NULL;
    if (ok && has_option(a, type)) {
        const OSSL_PARAM *known = EVP_SIGNATURE_settable_ctx_params(scheme);
        ok = known && OSSL_PARAM_locate_const(known, a->option->key);
    }
    EVP_SIGNATURE_free(scheme);
    ERR_clear_error();
    return ok;
}

static const unsigned char *bytes_of(struct span s)
{
    return (const unsigned char *)s.p;
}

// ---- over a digest ----

static EVP_PKEY_CTX *start_hashed(const struct signing *s, int (*init)(EVP_PKEY_CTX *))
{
    const struct sign_algorithm *a = s->algorithm;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, s->pkey, NULL);
    bool ok = c && init(c) == 1;
    if (ok && a->padding)
        ok = EVP_PKEY_CTX_set_rsa_padding(c, a->padding) == 1 &&
             EVP_PKEY_CTX_set_signature_md(c, crypto_digest(a->digest)) == 1;
    if (ok && a->padding == RSA_PKCS1_PSS_PADDING)
        ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (ok)
        return c;
    EVP_PKEY_CTX_free(c);
    return NULL;
}

// What is signed: the caller's digest, or that of the message, in `made`.
static struct span digest_of(const struct signing *s, unsigned char made[EVP_MAX_MD_SIZE])
{
    if (s->type != MESSAGE_RAW)
        return s->message;
    if (EVP_Digest(s->message.p, s->message.n, made, NULL, crypto_digest(s->algorithm->digest), NULL) != 1)
        abort();
    return (struct span){(char *)made, s->algorithm->digest_n};
}

static bool sign_hashed(const struct signing *s, unsigned char *signature, size_t *n)
{
    unsigned char made[EVP_MAX_MD_SIZE];
    struct span digest = digest_of(s, made);
    EVP_PKEY_CTX *c = start_hashed(s, EVP_PKEY_sign_init);
    bool ok = c && EVP_PKEY_sign(c, signature, n, bytes_of(digest), digest.n) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

static bool verify_hashed(const struct signing *s, struct span signature)
{
    unsigned char made[EVP_MAX_MD_SIZE];
    struct span digest = digest_of(s, made);
    EVP_PKEY_CTX *c = start_hashed(s, EVP_PKEY_verify_init);
    bool ok = c && EVP_PKEY_verify(c, bytes_of(signature), signature.n, bytes_of(digest), digest.n) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

// ---- by schemes that hash in their own way ----

typedef int digest_init(EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, OSSL_LIB_CTX *, const char *, EVP_PKEY *,
                        const OSSL_PARAM *);

// The option follows the start: SM2 takes its identity only then.
static EVP_MD_CTX *start_whole(const struct signing *s, digest_init *init)
{
    const struct sign_algorithm *a = s->algorithm;
    EVP_PKEY_CTX *of_key = NULL; // belongs to c
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && init(c, &of_key, a->digest, NULL, NULL, s->pkey, NULL) == 1;
    if (ok && has_option(a, s->type))
        ok = EVP_PKEY_CTX_set_params(of_key, a->option) == 1;
    if (ok)
        return c;
    EVP_MD_CTX_free(c);
    return NULL;
}

static bool sign_whole(const struct signing *s, unsigned char *signature, size_t *n)
{
    EVP_MD_CTX *c = start_whole(s, EVP_DigestSignInit_ex);
    bool ok = c && EVP_DigestSign(c, signature, n, bytes_of(s->message), s->message.n) == 1;
    EVP_MD_CTX_free(c);
    return ok;
}

static bool verify_whole(const struct signing *s, struct span signature)
{
    EVP_MD_CTX *c = start_whole(s, EVP_DigestVerifyInit_ex);
    bool ok = c && EVP_DigestVerify(c, bytes_of(signature), signature.n, bytes_of(s->message), s->message.n) == 1;
    EVP_MD_CTX_free(c);
    return ok;
}

bool crypto_sign(const struct signing *s, unsigned char signature[SIGNATURE_MAX], size_t *n)
{
    *n = SIGNATURE_MAX;
    return s->algorithm->whole >> s->type & 1 ? sign_whole(s, signature, n) : sign_hashed(s, signature, n);
}

bool crypto_verify(const struct signing *s, struct span signature)
{
    bool ok = s->algorithm->whole >> s->type & 1 ? verify_whole(s, signature) : verify_hashed(s, signature);
    if (!ok)
        ERR_clear_error();
    return ok;
}
