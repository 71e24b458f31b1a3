// Which wrappings go with which keys and Regions, and how long wrapped material can be. What is inside is tested with
// another implementation's wrappings (tests/integration/test_import.py); here the one that none of them has: SM2.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "kmsd/import_wrap.h"
#include "kmsd/key_type.h"

static bool allowed(const char *wrapping, const char *wrapping_key, const char *key, bool china)
{
    enum wrapping w;
    assert_true(wrapping_find(span_of(wrapping), &w));
    return wrapping_allowed(w, key_spec_find(span_of(wrapping_key)), key_spec_find(span_of(key)), china);
}

static void test_allowed(void **state)
{
    (void)state;
    assert_false(allowed("RSAES_PKCS1_V1_5", "RSA_4096", "SYMMETRIC_DEFAULT", false));
    assert_true(allowed("RSAES_OAEP_SHA_1", "RSA_2048", "SYMMETRIC_DEFAULT", false));
    assert_true(allowed("RSAES_OAEP_SHA_256", "RSA_2048", "HMAC_512", true));
    assert_false(allowed("RSAES_OAEP_SHA_256", "RSA_4096", "RSA_2048", false));
    assert_false(allowed("RSAES_OAEP_SHA_256", "RSA_2048", "ECC_NIST_P521", false));
    assert_true(allowed("RSAES_OAEP_SHA_256", "RSA_3072", "ECC_NIST_P521", false));
    assert_true(allowed("RSA_AES_KEY_WRAP_SHA_256", "RSA_2048", "ECC_NIST_P521", false));
    assert_true(allowed("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048", "RSA_4096", false));
    assert_false(allowed("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048", "RSA_4096", true));
    assert_true(allowed("SM2PKE", "SM2", "SYMMETRIC_DEFAULT", true));
    assert_false(allowed("SM2PKE", "SM2", "SYMMETRIC_DEFAULT", false));
    assert_false(allowed("SM2PKE", "RSA_2048", "SYMMETRIC_DEFAULT", true));
    assert_false(allowed("RSAES_OAEP_SHA_256", "SM2", "SYMMETRIC_DEFAULT", true));
    enum wrapping w;
    assert_false(wrapping_find(SPAN("RSAES"), &w));
}

static void test_sizes(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    assert_true(wrapping_size_ok(WRAPPING_RSAES_OAEP_SHA_1, key, 256));
    assert_false(wrapping_size_ok(WRAPPING_RSAES_OAEP_SHA_1, key, 255));
    assert_false(wrapping_size_ok(WRAPPING_RSAES_OAEP_SHA_256, key, 257));
    assert_true(wrapping_size_ok(WRAPPING_RSA_AES_KEY_WRAP_SHA_1, key, 256 + 16));
    assert_false(wrapping_size_ok(WRAPPING_RSA_AES_KEY_WRAP_SHA_1, key, 256 + 8));
    assert_false(wrapping_size_ok(WRAPPING_RSA_AES_KEY_WRAP_SHA_256, key, 256));
    assert_false(wrapping_size_ok(WRAPPING_RSA_AES_KEY_WRAP_SHA_256, key, 256 + 41));
    EVP_PKEY_free(key);
}

static void test_sm2(void **state)
{
    (void)state;
    const struct key_spec *spec = key_spec_find(SPAN("SM2"));
    unsigned char wrapped[512];
    size_t n = sizeof wrapped;
    struct secret pair = {0}, material = {0};
    if (spec->type->available && !spec->type->available(spec))
        skip();
    assert_true(spec->type->make(spec, &pair));
    EVP_PKEY *key = key_type_load(secret_span(&pair));
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    assert_true(EVP_PKEY_encrypt_init(c) == 1 &&
                EVP_PKEY_encrypt(c, wrapped, &n, (const unsigned char *)"0123456789abcdef0123456789abcdef", 32) == 1);
    EVP_PKEY_CTX_free(c);
    assert_true(wrapping_size_ok(WRAPPING_SM2PKE, key, n));
    assert_true(wrapping_open(WRAPPING_SM2PKE, key, (struct span){(char *)wrapped, n}, &material));
    assert_true(span_eq(secret_span(&material), SPAN("0123456789abcdef0123456789abcdef")));
    secret_done(&material);
    wrapped[n - 1] ^= 1;
    assert_false(wrapping_open(WRAPPING_SM2PKE, key, (struct span){(char *)wrapped, n}, &material));
    EVP_PKEY_free(key);
    secret_done(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_sm2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
