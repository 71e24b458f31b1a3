// Public-key encryption: known ciphertexts open to known plaintexts, everything else is refused, sizes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/crypto_pke.h"
#include "kmsd/key_type.h"
#include "tests/unit/kmsd/vectors.h"

static void check_case(const struct pke_algorithm *a, EVP_PKEY *pkey, const json_t *c)
{
    size_t cipher_n, plain_n, n;
    unsigned char *cipher = vectors_bytes(c, "ciphertext", &cipher_n), *plain = vectors_bytes(c, "plaintext", &plain_n);
    unsigned char out[PKE_PLAINTEXT_MAX];
    bool ok = pke_decrypt(a, pkey, (struct span){(char *)cipher, cipher_n}, out, &n);
    // KMS has no labels: a ciphertext with one is another's.
    assert_int_equal(ok, strcmp(vectors_text(c, "result"), "valid") == 0 && !*vectors_text(c, "label"));
    if (ok) {
        assert_int_equal(n, plain_n);
        assert_memory_equal(out, plain, n);
    }
    free(cipher);
    free(plain);
}

static void test_known_ciphertexts(void **state)
{
    (void)state;
    json_t *file, *group, *c;
    size_t i, j, n, checked = 0;
    json_t *groups = vectors_groups("rsa_oaep", &file);
    json_array_foreach(groups, i, group)
    {
        const struct pke_algorithm *a = pke_algorithm_find(vectors_text(group, "algorithm"));
        unsigned char *key = vectors_bytes(group, "key", &n);
        EVP_PKEY *pkey = key_type_load((struct span){(char *)key, n});
        assert_non_null(a);
        assert_non_null(pkey);
        json_array_foreach(json_object_get(group, "cases"), j, c)
        {
            check_case(a, pkey, c);
            checked++;
        }
        EVP_PKEY_free(pkey);
        free(key);
    }
    json_decref(file);
    assert_int_equal(checked, 71);
}

// The longest plaintexts of the API reference.
static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *algorithm;
        int bits;
        size_t max;
    } known[] = {
        {"RSAES_OAEP_SHA_1", 2048, 214},
        {"RSAES_OAEP_SHA_256", 2048, 190},
        {"RSAES_OAEP_SHA_1", 3072, 342},
        {"RSAES_OAEP_SHA_256", 3072, 318},
        {"RSAES_OAEP_SHA_1", 4096, 470},
        {"RSAES_OAEP_SHA_256", 4096, 446},
        {"SM2PKE", 0, 1024},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(pke_plaintext_max(pke_algorithm_find(known[i].algorithm), known[i].bits), known[i].max);
    assert_null(pke_algorithm_find("SYMMETRIC_DEFAULT"));
}

static void round_trip(EVP_PKEY *pkey, const char *algorithm, int bits)
{
    const struct pke_algorithm *a = pke_algorithm_find(algorithm);
    unsigned char cipher[PKE_CIPHERTEXT_MAX], plain[PKE_PLAINTEXT_MAX], out[PKE_PLAINTEXT_MAX];
    size_t max = pke_plaintext_max(a, bits), cipher_n, n;
    memset(plain, 'p', sizeof plain);
    for (size_t size = 1; size <= max; size += size == 1 ? max - 1 : 1) {
        assert_true(pke_encrypt(a, pkey, (struct span){(char *)plain, size}, cipher, &cipher_n));
        assert_true(pke_decrypt(a, pkey, (struct span){(char *)cipher, cipher_n}, out, &n));
        assert_int_equal(n, size);
        assert_memory_equal(out, plain, n);
        cipher[cipher_n - 1] ^= 1;
        assert_false(pke_decrypt(a, pkey, (struct span){(char *)cipher, cipher_n}, out, &n));
    }
    if (a->digest)
        assert_false(pke_encrypt(a, pkey, (struct span){(char *)plain, max + 1}, cipher, &cipher_n));
}

static void test_round_trips(void **state)
{
    (void)state;
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), *sm2 = EVP_PKEY_Q_keygen(NULL, NULL, "SM2");
    round_trip(rsa, "RSAES_OAEP_SHA_1", 2048);
    round_trip(rsa, "RSAES_OAEP_SHA_256", 2048);
    round_trip(sm2, "SM2PKE", 0);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(sm2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_ciphertexts),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
