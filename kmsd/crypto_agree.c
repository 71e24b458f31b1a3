// ECDH, for op_shared_secret.c.
#include "kmsd/crypto_agree.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>
#include <string.h>

static bool curve_is_named(EVP_PKEY *pkey)
{
    char encoding[32];
    size_t n;
    return EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding, &n) == 1 &&
           strcmp(encoding, OSSL_PKEY_EC_ENCODING_EXPLICIT) != 0;
}

// That the point is on the curve, and is not infinity.
static bool is_valid(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = c && EVP_PKEY_public_check(c) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

EVP_PKEY *agree_peer(EVP_PKEY *own, struct span spki)
{
    const unsigned char *at = (const unsigned char *)spki.p;
    EVP_PKEY *peer = d2i_PUBKEY(NULL, &at, (long)spki.n);
    if (peer && at == (const unsigned char *)spki.p + spki.n && EVP_PKEY_parameters_eq(own, peer) == 1 &&
        curve_is_named(peer) && is_valid(peer))
        return peer;
    EVP_PKEY_free(peer);
    ERR_clear_error();
    return NULL;
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, unsigned char *secret, size_t *n)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    *n = AGREE_SECRET_MAX;
    bool ok = c && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer_ex(c, peer, 0) == 1 &&
              EVP_PKEY_derive(c, secret, n) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

// ---- SM2: the library has no key exchange for such keys, so the point is multiplied here ----

static EC_POINT *point_of(const EC_GROUP *group, EVP_PKEY *pkey)
{
    unsigned char encoded[2 * AGREE_SECRET_MAX + 1];
    size_t n;
    EC_POINT *point = EC_POINT_new(group);
    if (point && EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof encoded, &n) == 1 &&
        EC_POINT_oct2point(group, point, encoded, n, NULL) == 1)
        return point;
    EC_POINT_free(point);
    return NULL;
}

static bool derive_sm2(EVP_PKEY *own, EVP_PKEY *peer, unsigned char *secret, size_t *n)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_sm2);
    EC_POINT *point = group ? point_of(group, peer) : NULL;
    BIGNUM *scalar = NULL, *x = BN_secure_new();
    bool ok = point && x && EVP_PKEY_get_bn_param(own, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
              EC_POINT_mul(group, point, NULL, point, scalar, NULL) == 1 &&
              EC_POINT_get_affine_coordinates(group, point, x, NULL, NULL) == 1;
    if (ok) {
        *n = (size_t)(EC_GROUP_get_degree(group) + 7) / 8;
        ok = BN_bn2binpad(x, secret, (int)*n) == (int)*n;
    }
    BN_clear_free(x);
    BN_clear_free(scalar);
    EC_POINT_clear_free(point);
    EC_GROUP_free(group);
    return ok;
}

bool agree_derive(EVP_PKEY *own, EVP_PKEY *peer, unsigned char secret[AGREE_SECRET_MAX], size_t *n)
{
    return EVP_PKEY_is_a(own, "SM2") ? derive_sm2(own, peer, secret, n) : derive(own, peer, secret, n);
}
