// Key agreement: known secrets on all curves, and public keys that must be refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/crypto_agree.h"
#include "kmsd/key_type.h"
#include "tests/unit/kmsd/vectors.h"

static EVP_PKEY *key_of(const char *curve, const char *scalar)
{
    BIGNUM *number = NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    assert_true(BN_hex2bn(&number, scalar) > 0);
    assert_true(OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1);
    assert_true(OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    assert_true(EVP_PKEY_fromdata_init(c) == 1);
    assert_true(EVP_PKEY_fromdata(c, &pkey, EVP_PKEY_KEYPAIR, params) == 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(c);
    BN_free(number);
    return pkey;
}

static bool has_flag(const json_t *c, const char *flag)
{
    const json_t *f;
    size_t i;
    json_array_foreach(json_object_get(c, "flags"), i, f) if (strcmp(json_string_value(f), flag) == 0) return true;
    return false;
}

// "acceptable": an encoding that some take and others refuse; who takes it must find the same secret.
static void check_case(const char *curve, const json_t *c)
{
    size_t public_n, secret_n, n;
    unsigned char *public = vectors_bytes(c, "public", &public_n), *secret = vectors_bytes(c, "shared", &secret_n);
    unsigned char out[AGREE_SECRET_MAX];
    const char *result = vectors_text(c, "result");
    EVP_PKEY *own = key_of(curve, vectors_text(c, "private"));
    EVP_PKEY *peer = agree_peer(own, (struct span){(char *)public, public_n});
    if (strcmp(result, "valid") == 0)
        assert_non_null(peer);
    if (strcmp(result, "invalid") == 0 || has_flag(c, "UnnamedCurve"))
        assert_null(peer);
    if (peer) {
        assert_true(agree_derive(own, peer, out, &n));
        assert_int_equal(n, secret_n);
        assert_memory_equal(out, secret, n);
    }
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    free(public);
    free(secret);
}

static void test_known_secrets(void **state)
{
    (void)state;
    json_t *file, *group, *c;
    size_t i, j, checked = 0;
    json_t *groups = vectors_groups("ecdh", &file);
    json_array_foreach(groups, i, group)
    {
        json_array_foreach(json_object_get(group, "cases"), j, c)
        {
            check_case(vectors_text(group, "curve"), c);
            checked++;
        }
    }
    json_decref(file);
    assert_int_equal(checked, 178);
}

static void append_public(EVP_PKEY *pkey, struct buf *out)
{
    buf_init(out, 1024);
    assert_true(key_type_public(pkey, out));
}

// No known answers for SM2: both sides find the same, and it is the coordinate, not one of the library's derivations.
static void test_sm2(void **state)
{
    (void)state;
    EVP_PKEY *a = EVP_PKEY_Q_keygen(NULL, NULL, "SM2"), *b = EVP_PKEY_Q_keygen(NULL, NULL, "SM2");
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct buf of_a, of_b, of_other;
    unsigned char ab[AGREE_SECRET_MAX], ba[AGREE_SECRET_MAX];
    size_t n, m;
    append_public(a, &of_a);
    append_public(b, &of_b);
    append_public(other, &of_other);
    EVP_PKEY *peer_a = agree_peer(b, buf_span(&of_a)), *peer_b = agree_peer(a, buf_span(&of_b));
    assert_true(agree_derive(a, peer_b, ab, &n) && agree_derive(b, peer_a, ba, &m));
    assert_int_equal(n, 32);
    assert_int_equal(m, 32);
    assert_memory_equal(ab, ba, 32);
    assert_null(agree_peer(a, buf_span(&of_other)));
    assert_null(agree_peer(other, buf_span(&of_a)));
    EVP_PKEY *keys[] = {a, b, other, peer_a, peer_b};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        EVP_PKEY_free(keys[i]);
    buf_done(&of_a);
    buf_done(&of_b);
    buf_done(&of_other);
}

static void test_cut_and_extended_keys(void **state)
{
    (void)state;
    EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct buf public;
    append_public(own, &public);
    buf_append(&public, "\0", 1);
    struct span whole = buf_span(&public);
    for (size_t n = 0; n <= whole.n; n++) {
        EVP_PKEY *peer = agree_peer(own, (struct span){whole.p, n});
        assert_int_equal(peer != NULL, n == whole.n - 1);
        EVP_PKEY_free(peer);
    }
    buf_done(&public);
    EVP_PKEY_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_secrets),
        cmocka_unit_test(test_sm2),
        cmocka_unit_test(test_cut_and_extended_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
