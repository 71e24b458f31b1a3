// Digests against the vectors of FIPS 180-2 and RFC 4231, and again after a thread gave up its contexts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/digest.h"
#include "common/base/encode.h"

static void assert_hmac(struct span key, struct span bytes, const char *expected)
{
    unsigned char mac[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    hmac_sha256(key, bytes, mac);
    hex_encode(mac, sizeof mac, hex);
    assert_string_equal(hex, expected);
}

static void test_vectors(void **state)
{
    (void)state;
    char hex[2 * SHA256_SIZE + 1], long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    for (int round = 0; round < 2; round++) {
        sha256_hex(SPAN("abc"), hex);
        assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        sha256_hex((struct span){NULL, 0}, hex);
        assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_hmac(SPAN("Jefe"), SPAN("what do ya want for nothing?"),
                    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_hmac((struct span){long_key, sizeof long_key},
                    SPAN("Test Using Larger Than Block-Size Key - Hash Key First"),
                    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        // An empty key is a key, not the one before.
        assert_hmac((struct span){NULL, 0}, SPAN(""),
                    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
        digest_thread_done();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
