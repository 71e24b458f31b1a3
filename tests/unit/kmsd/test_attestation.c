// Attestation documents: every member of every wrong form is refused with its name, and nothing that was changed, cut
// or is too old is believed. The documents in tests/data/attestation are of tests/integration/attestation.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/encode.h"
#include "common/base/file.h"
#include "kmsd/attestation.h"

#define DATA TEST_DATA_DIR "/attestation/"
#define MADE_NS (INT64_C(1779309900) * NS_PER_S) // 2026-05-20T20:45:00Z

static struct buf enclave, nitrotpm;
static struct attestation_root *root, *other_root;

static int setup(void **state)
{
    char why[256];
    (void)state;
    buf_init(&enclave, 65536);
    buf_init(&nitrotpm, 65536);
    assert_true(file_read(DATA "enclave.cbor", &enclave) && file_read(DATA "nitrotpm.cbor", &nitrotpm));
    root = attestation_root_load(DATA "root.pem", why, sizeof why);
    other_root = attestation_root_load(DATA "other-root.pem", why, sizeof why);
    assert_true(root && other_root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    attestation_root_free(root);
    attestation_root_free(other_root);
    buf_done(&enclave);
    buf_done(&nitrotpm);
    return 0;
}

static void parsed(const struct buf *document, struct attestation *a)
{
    char why[256] = "";
    if (!attestation_parse(buf_span(document), a, why, sizeof why))
        fail_msg("%s", why);
}

// ---- documents as they are made ----

static void test_enclave(void **state)
{
    struct attestation a;
    (void)state;
    parsed(&enclave, &a);
    assert_int_equal(a.platform, ATTESTATION_ENCLAVE);
    assert_true(span_is(a.module_id, "i-123456789abcde123-enc123456789abcde12"));
    assert_int_equal(a.timestamp_ns, MADE_NS);
    assert_int_equal(a.cabundle_n, 3);
    assert_true(span_is(a.user_data, "user") && span_is(a.nonce, "nonce"));
    assert_int_equal(a.public_key.n, 294);
    for (size_t i = 0; i < ATTESTATION_PCRS; i++)
        assert_int_equal(strlen(a.pcrs[i]), i <= 5 || i == 8 ? 96 : 0);
    assert_string_equal(a.pcrs[5], "000000000000000000000000000000000000000000000000"
                                   "000000000000000000000000000000000000000000000000");
}

static void test_nitrotpm(void **state)
{
    struct attestation a;
    (void)state;
    parsed(&nitrotpm, &a);
    assert_int_equal(a.platform, ATTESTATION_NITRO_TPM);
    assert_true(span_is(a.module_id, "i-123456789abcde123-tpm0000000000000000"));
    assert_true(!a.user_data.p && !a.nonce.p);
    for (size_t i = 0; i < ATTESTATION_PCRS; i++)
        assert_int_equal(strlen(a.pcrs[i]), i < 24 ? 96 : 0);
}

static bool asks(const struct attestation *a, const char *key, const char *wanted)
{
    struct span value;
    bool found = attestation_condition(a, span_of(key), &value);
    return wanted ? found && span_is(value, wanted) : !found;
}

static void test_condition_keys(void **state)
{
    struct attestation a, tpm;
    (void)state;
    parsed(&enclave, &a);
    parsed(&nitrotpm, &tpm);
    assert_true(asks(&a, "kms:RecipientAttestation:ImageSha384", a.pcrs[0]));
    assert_true(asks(&a, "KMS:RECIPIENTATTESTATION:IMAGESHA384", a.pcrs[0]));
    assert_true(asks(&a, "kms:RecipientAttestation:PCR0", a.pcrs[0]));
    assert_true(asks(&a, "kms:recipientattestation:pcr8", a.pcrs[8]));
    assert_true(asks(&tpm, "kms:RecipientAttestation:NitroTPMPCR23", tpm.pcrs[23]));
    static const char *const none[] = {"kms:RecipientAttestation:PCR",
                                       "kms:RecipientAttestation:PCR9",
                                       "kms:RecipientAttestation:PCR32",
                                       "kms:RecipientAttestation:PCR1x",
                                       "kms:RecipientAttestation:PCR-1",
                                       "kms:RecipientAttestation:PCR18446744073709551616",
                                       "kms:CallerAccount",
                                       "kms:RecipientAttestation:NitroTPMPCR0"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_true(asks(&a, none[i], NULL));
    assert_true(asks(&tpm, "kms:RecipientAttestation:PCR0", NULL));
    assert_true(asks(&tpm, "kms:RecipientAttestation:ImageSha384", NULL));
    assert_true(asks(&tpm, "kms:RecipientAttestation:NitroTPMPCR24", NULL));
}

// ---- documents of another form ----

#define Z16 "00000000000000000000000000000000"
#define Z32 Z16 Z16
#define Z48 Z32 Z16
#define PCR0 "a1005820" Z32

// The members of a document that is of the right form, as hexadecimal CBOR.
struct text_member {
    const char *name, *value;
};
static const struct text_member right[] = {
    {"module_id", "6161"},  {"digest", "66534841333834"}, {"timestamp", "01"}, {"pcrs", PCR0},  {"certificate", "4101"},
    {"cabundle", "814101"}, {"public_key", "4101"},       {"user_data", "40"}, {"nonce", "f6"},
};
#define RIGHT_N (sizeof right / sizeof *right)

static void put_hex(struct buf *b, const char *hex)
{
    unsigned char byte;
    for (; *hex; hex += 2) {
        assert_true(hex_decode((struct span){hex, 2}, &byte, 1));
        buf_append_char(b, (char)byte);
    }
}

static void put_member(struct buf *b, const char *name, const char *value)
{
    buf_append_char(b, (char)(0x60 + strlen(name)));
    buf_append_str(b, name);
    put_hex(b, value);
}

// A COSE_Sign1 around the right members, one of them changed (value NULL: left out) or, when there is none of the name,
// added.
static void put_document(struct buf *b, const char *name, const char *value)
{
    struct buf map;
    size_t n = 0;
    bool found = false;
    buf_init(&map, 65536);
    buf_append_char(&map, 0);
    for (size_t i = 0; i < RIGHT_N; i++) {
        bool changed = name && strcmp(name, right[i].name) == 0;
        found |= changed;
        if (changed && !value)
            continue;
        put_member(&map, right[i].name, changed ? value : right[i].value);
        n++;
    }
    if (name && !found) {
        put_member(&map, name, value);
        n++;
    }
    map.data[0] = (char)(0xa0 + n);
    put_hex(b, "8444a1013822a059");
    buf_append_char(b, (char)(map.len >> 8));
    buf_append_char(b, (char)map.len);
    buf_append_span(b, buf_span(&map));
    put_hex(b, "5860" Z48 Z48);
    buf_done(&map);
}

static void expect(const struct buf *document, const char *wanted)
{
    struct attestation a;
    char why[256] = "";
    bool ok = attestation_parse(buf_span(document), &a, why, sizeof why);
    if (ok != !wanted || (wanted && strncmp(why, wanted, strlen(wanted)) != 0))
        fail_msg("%s, not %s", why, wanted ? wanted : "accepted");
}

static void expect_member(const char *name, const char *value, const char *wanted)
{
    struct buf b;
    buf_init(&b, 65536);
    put_document(&b, name, value);
    expect(&b, wanted);
    buf_done(&b);
}

static void test_members(void **state)
{
    static const struct {
        const char *name, *value, *why; // why NULL: accepted
    } cases[] = {
        {NULL, NULL, NULL},
        {"module_id", NULL, "module_id is missing"},
        {"module_id", "60", "module_id must"},
        {"module_id", "4161", "module_id must"},
        {"module_id", "f6", "module_id must"},
        {"module_id", "7f6161ff", "module_id must"}, // nobody cuts strings
        {"digest", NULL, "digest is missing"},
        {"digest", "66534841353132", "digest must"},
        {"digest", "46534841333834", "digest must"},
        {"timestamp", NULL, "timestamp is missing"},
        {"timestamp", "00", "timestamp must"},
        {"timestamp", "20", "timestamp must"},
        {"timestamp", "f93c00", "timestamp must"},
        {"timestamp", "1bffffffffffffffff", NULL},
        {"pcrs", NULL, "either pcrs or nitrotpm_pcrs must be there"},
        {"pcrs", "a0", "pcrs must"},
        {"pcrs", "80", "pcrs must"},
        {"pcrs", "bf005820" Z32 "ff", NULL}, // of indefinite length
        {"pcrs", "bf005820" Z32, "pcrs must"},
        {"pcrs", "bfff", "pcrs must"},
        {"pcrs", "a1205820" Z32, "pcrs must"},
        {"pcrs", "a1613041" Z16, "pcrs must"},
        {"pcrs", "a118205820" Z32, "pcrs must"},
        {"pcrs", "a1181f5820" Z32, NULL},
        {"pcrs", "a2005820" Z32 "005820" Z32, "pcrs must"},
        {"pcrs", "a2005820" Z32 "015840" Z32 Z32, NULL},
        {"pcrs", "a200f6015820" Z32, "pcrs must"},
        {"pcrs", "a10050" Z16, "pcrs must"},
        {"pcrs", "a1005821" Z32 "00", "pcrs must"},
        {"pcrs", "a1005850" Z48 Z32, "pcrs must"},
        {"pcrs", "b821", "pcrs must"},
        {"pcrs", "bbffffffffffffffff", "pcrs must"},
        {"nitrotpm_pcrs", PCR0, "nitrotpm_pcrs must be there once"},
        {"certificate", NULL, "certificate is missing"},
        {"certificate", "40", "certificate must"},
        {"certificate", "6161", "certificate must"},
        {"certificate", "590401", "certificate must"},
        {"certificate", "5bffffffffffffffff", "certificate must"},
        {"cabundle", NULL, "cabundle is missing"},
        {"cabundle", "80", "cabundle must"},
        {"cabundle", "8140", "cabundle must"},
        {"cabundle", "8101", "cabundle must"},
        {"cabundle", "9f4101ff", NULL},
        {"cabundle", "9f4101", "cabundle must"},
        {"cabundle", "9fff", "cabundle must"},
        {"cabundle", "9f" Z16 "ff", "cabundle must"},
        {"cabundle", "91" Z16, "cabundle must"},
        {"cabundle", "9bffffffffffffffff", "cabundle must"},
        {"public_key", NULL, NULL},
        {"public_key", "f6", NULL},
        {"public_key", "40", "public_key must"},
        {"public_key", "6161", "public_key must"},
        {"public_key", "f7", "public_key must"},
        {"user_data", NULL, NULL},
        {"user_data", "01", "user_data must"},
        {"nonce", NULL, NULL},
        {"nonce", "40", NULL},
        {"nonce", "6161", "nonce must"},
        {"nonce", "590401", "nonce must"},
        {"more", "01", "the payload has a member that is not known"},
        {"", "01", "the payload has a member that is not known"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_member(cases[i].name, cases[i].value, cases[i].why);
}

static void test_longest_members(void **state)
{
    char value[2 * 1100];
    (void)state;
    for (size_t n = 1024; n <= 1025; n++) {
        snprintf(value, sizeof value, "59%04zx%0*d", n, (int)(2 * n), 0);
        bool fits = n == 1024;
        expect_member("certificate", value, fits ? NULL : "certificate must");
        expect_member("public_key", value, fits ? NULL : "public_key must");
        expect_member("user_data", value, fits ? NULL : "user_data must");
        expect_member("nonce", value, fits ? NULL : "nonce must");
    }
}

static void expect_hex(const char *hex, const char *wanted)
{
    struct buf b;
    buf_init(&b, 65536);
    put_hex(&b, hex);
    expect(&b, wanted);
    buf_done(&b);
}

static void test_cose(void **state)
{
#define SIGNED "41a05860" Z48 Z48
    (void)state;
    expect_hex("", "the document must");
    expect_hex("40", "the document must");
    expect_hex("83", "the document must");
    expect_hex("d184", "the document must"); // COSE_Mac0's tag
    expect_hex("9f", "the document must");
    expect_hex("84", "the protected header must");
    expect_hex("8443a10126a0" SIGNED, "the protected header must"); // ES256
    expect_hex("8444a10238220a0"
               "0",
               "the protected header must");                                  // another label
    expect_hex("8446a20138220441", "the protected header must");              // cut
    expect_hex("8447a2013822044161a0" SIGNED, "the protected header must");   // two
    expect_hex("8445a101382200a0" SIGNED, "the protected header must");       // something behind
    expect_hex("8444a1013822a1044161" SIGNED, "the unprotected header must"); // not empty
    expect_hex("8444a101382280" SIGNED, "the unprotected header must");
    expect_hex("8444a1013822a0405860" Z48 Z48, "the payload must");
    expect_hex("8444a1013822a0f65860" Z48 Z48, "the payload must"); // detached
    expect_hex("8444a1013822a0594001", "the payload must");
    expect_hex("8444a1013822a041a0585f" Z48 Z32 Z16, "the signature must");
    expect_hex("8444a1013822a0" SIGNED "00", "the signature must");
    expect_hex("8444a1013822a0" SIGNED, "module_id is missing");
    expect_hex("d28444a1013822a0" SIGNED, "module_id is missing");
    expect_hex("8444a1013822a042a0005860" Z48 Z48, "the payload must end with its map");
    expect_hex("8444a1013822a04180"
               "5860" Z48 Z48,
               "the payload must be a map");
    expect_hex("8444a1013822a042bfff5860" Z48 Z48, "module_id is missing");
    expect_hex("8444a1013822a041bf5860" Z48 Z48, "the names of members must be texts");
    expect_hex("8444a1013822a043bfff005860" Z48 Z48, "the payload must end with its map");
    expect_hex("8444a1013822bfff" SIGNED, "module_id is missing");
    expect_hex("8444a1013822bf0101ff" SIGNED, "the unprotected header must");
    expect_hex("8444a1013822a043a101015860" Z48 Z48, "the names of members must be texts");
    expect_hex("8444a1013822a041a15860" Z48 Z48, "the names of members must be texts");
}

static void test_twice(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 65536);
    put_hex(&b, "8444a1013822a0581a");
    put_hex(&b, "a2");
    put_member(&b, "module_id", "6161");
    put_member(&b, "module_id", "6162");
    put_hex(&b, "ff5860" Z48 Z48);
    expect(&b, "module_id must be there once");
    buf_done(&b);
}

// ---- what is believed ----

static bool believed(struct span document, struct attestation_root *r, int64_t now_ns)
{
    struct attestation a;
    char why[256] = "";
    bool ok = attestation_parse(document, &a, why, sizeof why) && attestation_verify(&a, r, now_ns, why, sizeof why);
    assert_true(ok || why[0]);
    return ok;
}

static void test_times(void **state)
{
    (void)state;
    struct span document = buf_span(&enclave);
    int64_t age = 300 * NS_PER_S;
    assert_true(believed(document, root, MADE_NS));
    assert_true(believed(buf_span(&nitrotpm), root, MADE_NS));
    assert_false(believed(document, other_root, MADE_NS));
    assert_true(believed(document, root, MADE_NS + age));
    assert_false(believed(document, root, MADE_NS + age + 1));
    assert_false(believed(document, root, MADE_NS - age)); // its certificate is younger
    assert_false(believed(document, root, 0));
    assert_false(believed(document, root, INT64_MAX));
}

// Every seventh, as verifying takes milliseconds.
static void test_every_byte_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < enclave.len; i += 7) {
        enclave.data[i] = (char)(enclave.data[i] ^ (1 << i % 8));
        if (believed(buf_span(&enclave), root, MADE_NS))
            fail_msg("byte %zu", i);
        enclave.data[i] = (char)(enclave.data[i] ^ (1 << i % 8));
    }
    for (size_t n = 0; n < enclave.len; n++)
        assert_false(believed((struct span){enclave.data, n}, root, MADE_NS));
}

static void test_root_files(void **state)
{
    char why[256] = "";
    (void)state;
    assert_null(attestation_root_load(DATA "none.pem", why, sizeof why));
    assert_string_equal(why, DATA "none.pem: cannot be read");
    assert_null(attestation_root_load(DATA "enclave.cbor", why, sizeof why));
    assert_string_equal(why, DATA "enclave.cbor: not a file of certificates (PEM)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enclave),
        cmocka_unit_test(test_nitrotpm),
        cmocka_unit_test(test_condition_keys),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_longest_members),
        cmocka_unit_test(test_cose),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_root_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
