// Signatures against known answers (tests/data/crypto/signatures.json), and what signing makes against verifying.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "kmsd/crypto_digest.h"
#include "kmsd/crypto_sign.h"
#include "kmsd/key_spec.h"
#include "kmsd/key_type.h"

#define BYTES_MAX 16384

struct bytes {
    unsigned char p[BYTES_MAX];
    size_t n;
};

static struct span span_of_bytes(const struct bytes *b)
{
    return (struct span){(const char *)b->p, b->n};
}

static void from_hex(const json_t *object, const char *member, struct bytes *out)
{
    const char *hex = json_string_value(json_object_get(object, member));
    assert_non_null(hex);
    out->n = strlen(hex) / 2;
    assert_true(out->n <= sizeof out->p && hex_decode(span_of(hex), out->p, out->n));
}

static EVP_PKEY *public_of(const json_t *group)
{
    static struct bytes der;
    from_hex(group, "public", &der);
    const unsigned char *at = der.p;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.n);
    assert_non_null(pkey);
    return pkey;
}

static void check_case(const json_t *group, const json_t *one, struct signing *s)
{
    static struct bytes message, signature;
    unsigned char digest[EVP_MAX_MD_SIZE];
    bool valid = json_is_true(json_object_get(one, "valid"));
    from_hex(one, "message", &message);
    from_hex(one, "signature", &signature);
    s->message = span_of_bytes(&message);
    if (crypto_verify(s, span_of_bytes(&signature)) != valid)
        fail_msg("%s: case %d is not %s", json_string_value(json_object_get(group, "source")),
                 (int)json_integer_value(json_object_get(one, "case")), valid ? "valid" : "invalid");
    if (s->type != MESSAGE_RAW || s->algorithm->whole)
        return;
    // The digest of the message is the same message.
    EVP_Digest(message.p, message.n, digest, NULL, crypto_digest(s->algorithm->digest), NULL);
    struct signing of_digest = {s->algorithm, MESSAGE_DIGEST, {(char *)digest, s->algorithm->digest_n}, s->pkey};
    assert_int_equal(crypto_verify(&of_digest, span_of_bytes(&signature)), valid);
}

// Where the private key is there, the signature is the only one possible.
static void check_made(const json_t *group, const struct signing *s)
{
    static struct bytes der, message, wanted;
    unsigned char made[SIGNATURE_MAX];
    size_t n;
    if (!json_object_get(group, "private"))
        return;
    from_hex(group, "private", &der);
    struct signing own = *s;
    own.pkey = key_type_load(span_of_bytes(&der));
    assert_non_null(own.pkey);
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(group, "cases"), i, one)
    {
        if (!json_is_true(json_object_get(one, "valid")))
            continue;
        from_hex(one, "message", &message);
        from_hex(one, "signature", &wanted);
        own.message = span_of_bytes(&message);
        assert_true(crypto_sign(&own, made, &n));
        assert_int_equal(n, wanted.n);
        assert_memory_equal(made, wanted.p, n);
    }
    EVP_PKEY_free(own.pkey);
}

static void check_group(const json_t *group)
{
    struct signing s = {
        .algorithm = sign_algorithm_find(span_of(json_string_value(json_object_get(group, "algorithm")))),
        .type = message_type_find(span_of(json_string_value(json_object_get(group, "type")))),
    };
    const json_t *one;
    size_t i;
    assert_non_null(s.algorithm);
    assert_true(s.algorithm->types >> s.type & 1);
    if (!sign_available(s.algorithm, s.type)) {
        print_message("%s is not in this library\n", s.algorithm->name);
        return;
    }
    s.pkey = public_of(group);
    json_array_foreach(json_object_get(group, "cases"), i, one) check_case(group, one, &s);
    check_made(group, &s);
    EVP_PKEY_free(s.pkey);
}

static void test_known_answers(void **state)
{
    (void)state;
    json_error_t error;
    json_t *all = json_load_file(TEST_DATA_DIR "/crypto/signatures.json", 0, &error);
    if (!all)
        fail_msg("%s", error.text);
    const json_t *group;
    size_t i;
    json_array_foreach(json_object_get(all, "groups"), i, group) check_group(group);
    assert_true(i > 50);
    json_decref(all);
}

static void sign_and_verify(const struct key_spec *spec, EVP_PKEY *pkey, const struct sign_algorithm *a,
                            enum message_type type)
{
    unsigned char message[4096], signature[SIGNATURE_MAX];
    size_t n;
    memset(message, 'm', sizeof message);
    struct signing s = {a, type, {(char *)message, type == MESSAGE_RAW ? sizeof message : a->digest_n}, pkey};
    if (!sign_available(a, type))
        return;
    if (!crypto_sign(&s, signature, &n))
        fail_msg("%s does not sign %s by %s", spec->name, message_type_names[type], a->name);
    assert_true(n <= SIGNATURE_MAX);
    assert_true(crypto_verify(&s, (struct span){(char *)signature, n}));
    message[0]++;
    assert_false(crypto_verify(&s, (struct span){(char *)signature, n}));
    message[0]--;
    signature[n / 2] ^= 1;
    assert_false(crypto_verify(&s, (struct span){(char *)signature, n}));
    assert_false(crypto_verify(&s, (struct span){(char *)signature, 0}));
}

// Every algorithm of every spec that signs, every type of message.
static void test_every_row(void **state)
{
    (void)state;
    bool stop = false;
    for (const struct key_spec *spec = key_specs; spec->name; spec++) {
        struct secret material = {NULL, 0};
        if (!(spec->usages >> USAGE_SIGN_VERIFY & 1) || spec->bits > 2048 ||
            (spec->type->available && !spec->type->available(spec)))
            continue;
        assert_true(spec->type->make_slowly ? spec->type->make_slowly(spec, &stop, &material)
                                            : spec->type->make(spec, &material));
        assert_true(spec->type->fits(spec, secret_span(&material)));
        EVP_PKEY *pkey = key_type_load(secret_span(&material));
        assert_non_null(pkey);
        for (const char *const *name = spec->algorithms[USAGE_SIGN_VERIFY]; *name; name++) {
            const struct sign_algorithm *a = sign_algorithm_find(span_of(*name));
            assert_non_null(a);
            for (int type = 0; type < MESSAGE_TYPES; type++)
                if (a->types >> type & 1)
                    sign_and_verify(spec, pkey, a, (enum message_type)type);
        }
        EVP_PKEY_free(pkey);
        secret_done(&material);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_null(sign_algorithm_find(SPAN("ECDSA_SHA_1")));
    assert_int_equal(message_type_find(SPAN("DIGEST")), MESSAGE_DIGEST);
    assert_int_equal(message_type_find((struct span){NULL, 0}), MESSAGE_RAW);
}

// Making an RSA key ends when it is told to.
static void test_given_up(void **state)
{
    (void)state;
    bool stop = true;
    struct secret material = {NULL, 0};
    const struct key_spec *spec = key_spec_find(SPAN("RSA_4096"));
    assert_false(spec->type->make_slowly(spec, &stop, &material));
    assert_int_equal(material.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
