// Judging imported key material. Called by op_import.c, outside of the keyring's lock.
#include "kmsd/import_material.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "kmsd/key_type.h"

// Signs something and looks whether the public half agrees: the full check of an RSA key takes a second.
static bool is_pair(EVP_PKEY *pkey)
{
    static const unsigned char text[] = "kmsd";
    unsigned char signature[8192];
    size_t n = sizeof signature;
    char digest[64];
    // Some kinds of keys (Ed25519) hash in their own way.
    int has = EVP_PKEY_get_default_digest_name(pkey, digest, sizeof digest);
    const char *name = has <= 0 || strcmp(digest, "UNDEF") == 0 ? NULL : digest;
    EVP_MD_CTX *c = EVP_MD_CTX_new(), *v = EVP_MD_CTX_new();
    bool ok = c && v && EVP_DigestSignInit_ex(c, NULL, name, NULL, NULL, pkey, NULL) == 1 &&
              EVP_DigestSign(c, signature, &n, text, sizeof text) == 1 &&
              EVP_DigestVerifyInit_ex(v, NULL, name, NULL, NULL, pkey, NULL) == 1 &&
              EVP_DigestVerify(v, signature, n, text, sizeof text) == 1;
    EVP_MD_CTX_free(c);
    EVP_MD_CTX_free(v);
    return ok;
}

// Points and curves can be written in several ways.
static bool normalize(EVP_PKEY *pkey)
{
    if (!EVP_PKEY_is_a(pkey, "EC"))
        return true;
    return EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") == 1 &&
           EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, "named_curve") == 1;
}

bool import_material_take(const struct key_spec *spec, struct span from, struct secret *material)
{
    if (!spec->type->fits(spec, from))
        return false;
    if (!spec->type->asymmetric)
        return secret_copy(material, from.p, from.n);
    EVP_PKEY *pkey = key_type_load(from);
    bool ok = pkey && is_pair(pkey) && normalize(pkey) && key_type_store(pkey, material);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return ok;
}
