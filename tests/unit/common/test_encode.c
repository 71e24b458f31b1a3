// Text forms of bytes: known vectors (RFC 4648, RFC 3986), every length both ways, and strictness.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/encode.h"
#include "common/base/rng.h"

static const struct {
    const char *plain, *base64, *url;
} vectors[] = {{"", "", ""},
               {"f", "Zg==", "Zg"},
               {"fo", "Zm8=", "Zm8"},
               {"foo", "Zm9v", "Zm9v"},
               {"foob", "Zm9vYg==", "Zm9vYg"},
               {"fooba", "Zm9vYmE=", "Zm9vYmE"},
               {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
               {"\xfb\xff\xfe", "+//+", "-__-"},
               {"\xff\xff", "//8=", "__8"}};

static void test_base64_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct span plain = span_of(vectors[i].plain);
        unsigned char out[32];
        size_t n = 99;
        struct buf b;
        buf_init(&b, 100);
        assert_true(base64_encode(&b, plain.p, plain.n));
        assert_string_equal(buf_str(&b), vectors[i].base64);
        buf_reset(&b, 100);
        assert_true(base64url_encode(&b, plain.p, plain.n));
        assert_string_equal(buf_str(&b), vectors[i].url);
        buf_done(&b);
        assert_true(base64_decode(span_of(vectors[i].base64), out, &n));
        assert_true(span_eq((struct span){(char *)out, n}, plain));
        assert_true(base64url_decode(span_of(vectors[i].url), out, &n));
        assert_true(span_eq((struct span){(char *)out, n}, plain));
    }
}

static void test_base64_all_lengths(void **state)
{
    (void)state;
    unsigned char bytes[200], out[210];
    rng_secret(bytes, sizeof bytes);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf b;
        size_t got;
        buf_init(&b, 1000);
        assert_true(base64_encode(&b, bytes, n));
        assert_true(base64_decoded_max(b.len) <= sizeof out && base64_decoded_max(b.len) >= n);
        assert_true(base64_decode(buf_span(&b), out, &got));
        assert_int_equal(got, n);
        assert_memory_equal(out, bytes, n);
        buf_reset(&b, 1000);
        assert_true(base64url_encode(&b, bytes, n));
        assert_true(base64url_decode(buf_span(&b), out, &got));
        assert_int_equal(got, n);
        assert_memory_equal(out, bytes, n);
        buf_done(&b);
    }
}

static void test_base64_refusals(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",      "Zg===",  "=",     "==",    "====",     "Z===",
                                      "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n", "Zm 9",  " Zm9v", "Zm9v====", "Zm9-",
                                      "Zm9_", "Z=g=", "Zm9\x80",  "Zm9v=",  "Zm9vY", "!!!!"};
    static const char *const bad_url[] = {"Z", "Zg==", "Zh", "Zm9", "Zm9+", "Zm9/", "Zm9vY", "Zm 8", "Zm9v\n"};
    unsigned char out[32];
    size_t n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_decode(span_of(bad[i]), out, &n))
            fail_msg("accepted: %s", bad[i]);
    for (size_t i = 0; i < sizeof bad_url / sizeof *bad_url; i++)
        if (base64url_decode(span_of(bad_url[i]), out, &n))
            fail_msg("accepted: %s", bad_url[i]);
    assert_false(base64_decode((struct span){"Zm9\0", 4}, out, &n));
}

// Each single byte at each place: exactly the alphabet is taken.
static void test_base64_alphabets(void **state)
{
    (void)state;
    static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char out[32];
    size_t n;
    for (int c = 0; c < 256; c++)
        for (int at = 0; at < 4; at++) {
            char text[8] = "AAAAAAAA";
            text[at] = (char)c;
            bool in_standard = c && strchr(standard, c);
            bool in_url = c == '-' || c == '_' || (in_standard && c != '+' && c != '/');
            assert_int_equal(base64_decode((struct span){text, 8}, out, &n), in_standard);
            assert_int_equal(base64url_decode((struct span){text, 8}, out, &n), in_url);
        }
}

static void test_base64_keeps_the_ceiling(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    assert_true(base64_encode(&b, "foo", 3));
    assert_true(base64_encode(&b, "", 0));
    assert_false(base64_encode(&b, "f", 1));
    assert_false(buf_ok(&b));
    buf_reset(&b, 100);
    assert_true(base64url_encode(&b, "fo", 2));
    assert_false(base64url_encode(&b, "f", 1));
    buf_done(&b);
}

static void test_hex(void **state)
{
    (void)state;
    char text[9];
    unsigned char out[4];
    hex_encode("\x00\x7f\xab\xff", 4, text);
    assert_string_equal(text, "007fabff");
    assert_true(hex_decode(SPAN("007FaBff"), out, 4));
    assert_memory_equal(out, "\x00\x7f\xab\xff", 4);
    assert_false(hex_decode(SPAN("007FaBff"), out, 3));
    assert_false(hex_decode(SPAN("007FaBf"), out, 3));
    assert_false(hex_decode(SPAN("007FaBfg"), out, 4));
    assert_false(hex_decode(SPAN("0x7FaBff"), out, 4));
    assert_true(hex_decode(SPAN(""), out, 0));
}

static void test_uri(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    assert_true(uri_encode(&b, SPAN("AZaz09-._~ /+%=\xc3\xa9"), false));
    assert_string_equal(buf_str(&b), "AZaz09-._~%20%2F%2B%25%3D%C3%A9");
    buf_reset(&b, 1000);
    assert_true(uri_encode(&b, SPAN("a/b c"), true));
    assert_string_equal(buf_str(&b), "a/b%20c");
    buf_reset(&b, 1000);
    assert_true(uri_decode(&b, SPAN("%41%c3%A9+a/%25")));
    assert_string_equal(buf_str(&b), "A\xc3\xa9+a/%");
    assert_false(uri_decode(&b, SPAN("%")));
    assert_false(uri_decode(&b, SPAN("a%4")));
    assert_false(uri_decode(&b, SPAN("%4g")));
    buf_done(&b);
}

static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(crc32_of(SPAN("123456789")), 0xcbf43926);
    assert_int_equal(crc32_of(SPAN("")), 0);
    assert_int_equal(crc32_of((struct span){NULL, 0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_vectors),
        cmocka_unit_test(test_base64_all_lengths),
        cmocka_unit_test(test_base64_refusals),
        cmocka_unit_test(test_base64_alphabets),
        cmocka_unit_test(test_base64_keeps_the_ceiling),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_uri),
        cmocka_unit_test(test_crc32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
