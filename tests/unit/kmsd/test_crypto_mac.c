// HMACs against the known answers of RFC 4231 (tests/data/crypto/macs.json).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "common/base/encode.h"
#include "kmsd/crypto_mac.h"

#define BYTES_MAX 512

static struct span from_hex(const json_t *object, const char *member, unsigned char to[BYTES_MAX])
{
    const char *hex = json_string_value(json_object_get(object, member));
    assert_non_null(hex);
    size_t n = strlen(hex) / 2;
    assert_true(n <= BYTES_MAX && hex_decode(span_of(hex), to, n));
    return (struct span){(char *)to, n};
}

static void test_known_answers(void **state)
{
    (void)state;
    json_t *all = json_load_file(TEST_DATA_DIR "/crypto/macs.json", 0, NULL);
    assert_non_null(all);
    const json_t *group, *one;
    size_t i, j, checked = 0;
    json_array_foreach(json_object_get(all, "groups"), i, group)
    {
        const char *algorithm = json_string_value(json_object_get(group, "algorithm"));
        json_array_foreach(json_object_get(group, "cases"), j, one)
        {
            unsigned char key[BYTES_MAX], message[BYTES_MAX], wanted[BYTES_MAX], mac[MAC_SIZE_MAX];
            size_t n;
            assert_true(
                crypto_mac(span_of(algorithm), from_hex(one, "key", key), from_hex(one, "message", message), mac, &n));
            struct span right = from_hex(one, "mac", wanted);
            assert_int_equal(n, right.n);
            assert_memory_equal(mac, right.p, n);
            checked++;
        }
    }
    assert_true(checked >= 24);
    json_decref(all);
}

static void test_no_such_algorithm(void **state)
{
    (void)state;
    unsigned char mac[MAC_SIZE_MAX];
    size_t n;
    assert_false(crypto_mac(SPAN("HMAC_SHA_1"), SPAN("key"), SPAN("message"), mac, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_no_such_algorithm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
