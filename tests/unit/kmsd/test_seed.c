// Seeds: what a file says becomes keys, once; whatever is wrong with it changes nothing and is told with its place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "kmsd/kmsd.h"
#include "kmsd/seed.h"

#define ACCOUNT "111122223333"
#define ID "11111111-2222-4333-8444-555555555555"
#define OTHER_ID "22222222-2222-4333-8444-555555555555"
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ARN "arn:aws:kms:us-east-1:" ACCOUNT ":key/" ID

static struct kmsd kmsd;
static struct daemon d = {.ext = &kmsd, .account = ACCOUNT};
static struct store *store;

static int setup(void **state)
{
    (void)state;
    char why[256];
    d.rng = rng_new("seed");
    store = store_open(NULL, keyring_tables, STORE_SYNC_NORMAL, why, sizeof why);
    struct keyring_options o = {.store = store, .rng = d.rng};
    kmsd.keyring = keyring_open(&o, why, sizeof why);
    return store && kmsd.keyring ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    keyring_close(kmsd.keyring);
    store_close(store);
    rng_free(d.rng);
    return 0;
}

static struct seed *parse(const char *text)
{
    char why[1024] = "";
    struct seed *seed = seed_parse(&d, "s.yaml", span_of(text), "us-east-1", why, sizeof why);
    if (!seed)
        fail_msg("%s", why);
    return seed;
}

static void apply(struct seed *seed, int64_t now_ns, bool again)
{
    char why[1024] = "";
    if (!seed_apply(seed, kmsd.keyring, d.rng, now_ns, again, why, sizeof why))
        fail_msg("%s", why);
}

static struct key *find(void)
{
    return keyring_key(kmsd.keyring, SPAN(ARN));
}

#define LEAST "Keys:\n  - KeyId: " ID "\n    Material: " HEX "\n    Aliases: [alias/a]\n"

static void test_keys_are_made_once(void **state)
{
    (void)state;
    struct seed *seed = parse(LEAST);
    apply(seed, 7, false);
    struct key *key = find();
    assert_non_null(key);
    assert_int_equal(key->created_ns, 7);
    assert_int_equal(key->state, KEY_ENABLED);
    assert_int_equal(key_current(key)->bytes.n, 32);
    assert_int_equal(key_current(key)->bytes.p[31], 0xff);
    assert_int_equal(key->aliases.n, 1);
    key_set_description(key, SPAN("mine"));
    keyring_save_key(kmsd.keyring, key);
    apply(seed, 8, false);
    assert_ptr_equal(find(), key);
    assert_string_equal(key->description, "mine");
    // What was deleted stays so, until the seed is made again.
    keyring_delete_key(kmsd.keyring, key);
    apply(seed, 9, false);
    assert_null(find());
    keyring_clear(kmsd.keyring);
    apply(seed, 10, true);
    assert_int_equal(find()->created_ns, 7);
    assert_string_equal(find()->description, "");
    assert_int_equal(find()->aliases.n, 1);
    seed_free(seed);
}

static void test_clearing_keeps_what_is_as_it_was_made(void **state)
{
    (void)state;
    struct seed *seed = parse(LEAST "    Grants:\n      - GranteePrincipal: arn:aws:iam::" ACCOUNT
                                    ":root\n        Operations: [Decrypt]\n"
                                    "  - KeyId: " OTHER_ID "\n    Aliases: [alias/b]\n");
    apply(seed, 1, false);
    struct key *key = find();
    assert_true(key->as_seeded);
    keyring_clear(kmsd.keyring);
    struct keyring_counts counts = keyring_count(kmsd.keyring);
    assert_int_equal(counts.keys, 2);
    assert_int_equal(counts.aliases, 2);
    assert_int_equal(counts.grants, 1);
    // Each kind of change makes the key one that is made again.
    struct grant *g = key->grants.by_id.v[0];
    unsigned char grant_id[GRANT_ID_SIZE];
    memcpy(grant_id, g->id, sizeof grant_id);
    for (int change = 0; change < 4; change++) {
        key = find();
        assert_true(key->as_seeded);
        if (change == 0)
            keyring_remove_grant(kmsd.keyring, key->grants.by_id.v[0]);
        else if (change == 1)
            keyring_delete_alias(kmsd.keyring, key->aliases.v[0]);
        else if (change == 2)
            keyring_create_alias(kmsd.keyring, key, SPAN("alias/c"), 2);
        else
            keyring_save_key(kmsd.keyring, key);
        assert_false(key->as_seeded);
        keyring_clear(kmsd.keyring);
        assert_int_equal(keyring_count(kmsd.keyring).keys, 1);
        apply(seed, 2, true);
        counts = keyring_count(kmsd.keyring);
        assert_int_equal(counts.keys, 2);
        assert_int_equal(counts.aliases, 2);
        assert_int_equal(counts.grants, 1);
        assert_non_null(keyring_grant(kmsd.keyring, grant_id));
    }
    seed_free(seed);
}

static void test_the_same_material_of_another_place(void **state)
{
    (void)state;
    char why[1024];
    struct seed *here = parse(LEAST), *there = parse("Region: eu-west-1\n" LEAST);
    apply(here, 1, false);
    assert_false(seed_apply(there, kmsd.keyring, d.rng, 1, false, why, sizeof why));
    assert_non_null(strstr(why, "has the id and the material of " ARN));
    assert_int_equal(keyring_count(kmsd.keyring).keys, 1);
    seed_free(here);
    seed_free(there);
}

static void test_ids_are_those_of_every_kmsd(void **state)
{
    (void)state;
    struct seed *seed = parse(LEAST);
    // Changing these breaks the ciphertexts that people keep beside their seeds.
    assert_string_equal(seed->keys[0].materials[0].material_id,
                        "73e77ba7c3809e71d5e96f7e97d95e8d9c89e1a619abd671b66b8dfae48bd985");
    static const unsigned char backing_id[4] = {0x1d, 0x57, 0x99, 0x6a};
    assert_memory_equal(seed->keys[0].materials[0].backing_id, backing_id, sizeof backing_id);
    seed_free(seed);
}

static void test_refusals_name_line_and_member(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"Keys:\n  - KeyId: x\n", "s.yaml:2: Keys[0].KeyId: is no key id"},
        {"Keys:\n  - KeyId: " ID "\n    KeySpec: DES\n", "s.yaml:3: Keys[0].KeySpec: 1 validation error detected"},
        {"Keys:\n  - KeyId: " ID "\n    Grants:\n      - Name: a b\n",
         "s.yaml:4: Keys[0].Grants[0].Name: 1 validation"},
        {"Keys: [{KeyId: " ID ", Description: [x]}]\n", "s.yaml:1: Keys[0].Description: must be a text"},
        {"Keys:\n  - " ID "\n", "s.yaml:2: Keys[0]: must be a map"},
        {"Account: 1\nKeys:\n  - KeyId: " ID "\n", "s.yaml:3: Keys[0].Account: is not an account of 12 digits"},
        {"Keys:\n  - KeyId: " ID "\n    Tags: {a: b}\n", "s.yaml:3: Keys[0].Tags: must be a list"},
        {"Keys:\n  - KeyId: mrk-00112233445566778899aabbccddeeff\n",
         "s.yaml:2: Keys[0].KeyId: begins with mrk- exactly"},
        {"x", "s.yaml:1: a seed is a map with the member Keys"},
        {"Keys: [\n", "s.yaml:2: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[1024] = "";
        assert_null(seed_parse(&d, "s.yaml", span_of(rows[i].text), "us-east-1", why, sizeof why));
        if (strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%s\n  instead of %s", why, rows[i].why);
    }
}

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_are_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clearing_keeps_what_is_as_it_was_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_same_material_of_another_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_those_of_every_kmsd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals_name_line_and_member, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
