// Types of keys: making key material and judging what was made elsewhere. What keys are used for (signatures, MACs,
// encryption, key agreement) is the crypto_*.c files'.
#include "kmsd/key_type.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "common/base/rng.h"

// ---- secrets: SYMMETRIC_DEFAULT and HMAC ----

static bool make_bytes(const struct key_spec *spec, struct secret *material)
{
    if (!secret_init(material, (size_t)spec->bits / 8))
        return false;
    rng_secret(material->p, material->n);
    return true;
}

static bool bytes_fit(const struct key_spec *spec, struct span material)
{
    return material.n == (size_t)spec->bits / 8;
}

const struct key_type key_type_symmetric = {.make = make_bytes, .fits = bytes_fit};
const struct key_type key_type_hmac = {.make = make_bytes, .fits = bytes_fit};

// ---- key pairs ----

bool key_type_store(EVP_PKEY *pkey, struct secret *material)
{
    PKCS8_PRIV_KEY_INFO *info = pkey ? EVP_PKEY2PKCS8(pkey) : NULL;
    unsigned char *der = NULL;
    int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    PKCS8_PRIV_KEY_INFO_free(info);
    bool ok = n > 0 && secret_copy(material, der, (size_t)n);
    if (n > 0)
        OPENSSL_clear_free(der, (size_t)n);
    return ok;
}

EVP_PKEY *key_type_load(struct span pkcs8)
{
    const unsigned char *at = (const unsigned char *)pkcs8.p;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)pkcs8.n);
    EVP_PKEY *pkey = info && at == (const unsigned char *)pkcs8.p + pkcs8.n ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

bool key_type_public(EVP_PKEY *pkey, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    if (n <= 0)
        return false;
    buf_append(out, der, (size_t)n);
    OPENSSL_free(der);
    return buf_ok(out);
}

static bool keep(EVP_PKEY *pkey, struct secret *material)
{
    bool ok = key_type_store(pkey, material);
    EVP_PKEY_free(pkey);
    return ok;
}

// Called by the library between the steps of its search for primes.
static int go_on(EVP_PKEY_CTX *c)
{
    const bool *stop = EVP_PKEY_CTX_get_app_data(c);
    return !__atomic_load_n(stop, __ATOMIC_RELAXED);
}

static bool make_rsa(const struct key_spec *spec, const bool *stop, struct secret *material)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    bool ok = c && EVP_PKEY_keygen_init(c) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(c, spec->bits) == 1;
    if (ok) {
        EVP_PKEY_CTX_set_app_data(c, (void *)(uintptr_t)stop);
        EVP_PKEY_CTX_set_cb(c, go_on);
        ok = EVP_PKEY_generate(c, &pkey) == 1;
    }
    EVP_PKEY_CTX_free(c);
    return ok && keep(pkey, material);
}

static bool rsa_fits(const struct key_spec *spec, struct span material)
{
    EVP_PKEY *pkey = key_type_load(material);
    bool ok = pkey && EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) == spec->bits;
    EVP_PKEY_free(pkey);
    return ok;
}

const struct key_type key_type_rsa = {.make_slowly = make_rsa, .fits = rsa_fits, .asymmetric = true};

static bool make_ecc(const struct key_spec *spec, struct secret *material)
{
    return keep(EVP_PKEY_Q_keygen(NULL, NULL, "EC", spec->group), material);
}

static bool ecc_fits(const struct key_spec *spec, struct span material)
{
    char group[64];
    EVP_PKEY *pkey = key_type_load(material);
    bool ok = pkey && EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) &&
              OBJ_txt2nid(group) == EC_curve_nist2nid(spec->group);
    if (pkey && !ok && EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL))
        ok = strcmp(group, spec->group) == 0;
    EVP_PKEY_free(pkey);
    return ok;
}

const struct key_type key_type_ecc = {.make = make_ecc, .fits = ecc_fits, .asymmetric = true};

// ---- what only some libraries have: named by the spec's group ----

static bool group_available(const struct key_spec *spec)
{
    EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(NULL, spec->group, NULL);
    EVP_KEYMGMT_free(m);
    return m != NULL;
}

static bool make_group(const struct key_spec *spec, struct secret *material)
{
    return keep(EVP_PKEY_Q_keygen(NULL, NULL, spec->group), material);
}

static bool group_fits(const struct key_spec *spec, struct span material)
{
    EVP_PKEY *pkey = key_type_load(material);
    bool ok = pkey && EVP_PKEY_is_a(pkey, spec->group);
    EVP_PKEY_free(pkey);
    return ok;
}

const struct key_type key_type_eddsa = {.make = make_group, .fits = group_fits, .asymmetric = true};
const struct key_type key_type_ml_dsa = {
    .available = group_available, .make = make_group, .fits = group_fits, .asymmetric = true};
const struct key_type key_type_sm2 = {
    .available = group_available, .make = make_group, .fits = group_fits, .asymmetric = true};
