// The keyring: what was changed is there again after a restart, with the right root key only; and it is loaded fast
// (the figures are printed, not asserted).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/json_read.h"
#include "kmsd/key_type.h"
#include "kmsd/keyring.h"

#define ACCOUNT "111122223333"
#define REGION "us-east-1"

static char dir[64], db[96], root[96];
static struct rng *rng;
static struct store *store;
static struct keyring *ring;

static void open_all(bool expect)
{
    char why[512] = "";
    store = store_open(db, keyring_tables, STORE_SYNC_NORMAL, why, sizeof why);
    if (!store)
        fail_msg("%s", why);
    struct keyring_options o = {.store = store, .root_key_path = root, .rng = rng};
    ring = keyring_open(&o, why, sizeof why);
    if (!ring != !expect)
        fail_msg("keyring_open: %s", why);
    if (!ring)
        assert_non_null(strstr(why, root));
}

static void close_all(void)
{
    char why[512] = "";
    if (ring)
        assert_true(store_commit(store, why, sizeof why));
    keyring_close(ring);
    ring = NULL;
    store_close(store);
    store = NULL;
}

static int setup(void **state)
{
    (void)state;
    json_read_setup();
    rng = rng_new(NULL);
    snprintf(dir, sizeof dir, "test-keyring-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(db, sizeof db, "%s/state.db", dir);
    snprintf(root, sizeof root, "%s/root-key", dir);
    open_all(true);
    return 0;
}

static int teardown(void **state)
{
    char path[128];
    (void)state;
    if (store)
        close_all();
    rng_free(rng);
    unlink(root);
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", db, suffixes[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static const struct key_policy *make_policy(void)
{
    struct buf text;
    char why[256];
    buf_init(&text, 4096);
    key_policy_default("aws", ACCOUNT, &text);
    const struct key_policy *policy = policy_pool_get(keyring_policies(ring), buf_span(&text), why, sizeof why);
    buf_done(&text);
    assert_non_null(policy);
    return policy;
}

// material NULL: fresh.
static struct key *make_key_of(const struct key_spec *spec, enum key_usage usage, const struct secret *material)
{
    struct key_draft draft = {
        .account = ACCOUNT, .region = REGION, .spec = spec, .usage = usage, .policy = make_policy(), .now_ns = 1000};
    assert_true(material ? secret_copy(&draft.material, material->p, material->n)
                         : spec->type->make(spec, &draft.material));
    return keyring_create_key(ring, &draft);
}

static struct key *make_key(void)
{
    return make_key_of(&key_specs[0], USAGE_ENCRYPT_DECRYPT, NULL);
}

static struct grant *make_grant(const char *table)
{
    struct grant *g = grant_new();
    struct str_pair pairs[] = {{SPAN("aws:dynamodb:subscriberId"), SPAN(ACCOUNT)},
                               {SPAN("aws:dynamodb:tableName"), span_of(table)}};
    g->grantee = strdup("dynamodb." REGION ".amazonaws.com");
    g->retiring = strdup("dynamodb." REGION ".amazonaws.com");
    g->name = strdup(table);
    memcpy(g->issuing_account, ACCOUNT, 13);
    g->operations = GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_DESCRIBE_KEY);
    g->constraint = GRANT_CONTEXT_SUBSET;
    g->context = enc_context_copy(&(struct str_map){pairs, 2, true});
    g->created_ns = 1000;
    return g;
}

static void test_everything_is_there_after_a_restart(void **state)
{
    (void)state;
    struct key *key = make_key();
    struct span arn = span_of(strdup(key->arn));
    unsigned char backing_id[BACKING_ID_SIZE], material[32], grant_id[GRANT_ID_SIZE];
    memcpy(backing_id, key_current(key)->backing_id, sizeof backing_id);
    memcpy(material, key_current(key)->bytes.p, sizeof material);
    key_set_description(key, SPAN("described"));
    key_set_tag(key, SPAN("k"), SPAN("v"));
    keyring_schedule_deletion(ring, key, 5000);
    keyring_create_alias(ring, key, SPAN("alias/app"), 2000);
    struct grant *g = make_grant("t");
    keyring_create_grant(ring, key, g);
    memcpy(grant_id, g->id, sizeof grant_id);
    close_all();
    open_all(true);
    key = keyring_key(ring, arn);
    assert_non_null(key);
    assert_string_equal(key->description, "described");
    assert_string_equal(key_tag(key, SPAN("k"))->value, "v");
    assert_int_equal(key->state, KEY_PENDING_DELETION);
    assert_int_equal(keyring_next(ring, DATE_DELETION), 5000);
    const struct key_material *m = keyring_material(ring, backing_id, REGION);
    assert_ptr_equal(m->key, key);
    assert_memory_equal(m->bytes.p, material, 32);
    const struct alias *a = keyring_alias(ring, SPAN("arn:aws:kms:" REGION ":" ACCOUNT ":alias/app"));
    assert_ptr_equal(a->key, key);
    assert_int_equal(a->created_ns, 2000);
    assert_ptr_equal(keyring_grant(ring, grant_id)->key, key);
    assert_int_equal(keyring_retirable(ring, REGION, "dynamodb." REGION ".amazonaws.com")->n, 1);
    // Deletion takes everything along, but a ciphertext can still be told from garbage.
    struct key *due[2];
    assert_int_equal(keyring_due(ring, DATE_DELETION, 4999, due, 2), 0);
    assert_int_equal(keyring_due(ring, DATE_DELETION, 5000, due, 2), 1);
    keyring_delete_key(ring, due[0]);
    close_all();
    open_all(true);
    assert_null(keyring_key(ring, arn));
    assert_null(keyring_grant(ring, grant_id));
    assert_non_null(keyring_material(ring, backing_id, REGION));
    assert_null(keyring_material(ring, backing_id, REGION)->key);
    assert_int_equal(keyring_next(ring, DATE_DELETION), INT64_MAX);
    assert_int_equal(keyring_count(ring).aliases, 0);
    free((void *)(uintptr_t)arn.p);
}

static struct key *make_primary(void)
{
    struct key_draft draft = {
        .account = ACCOUNT,
        .region = REGION,
        .spec = &key_specs[0],
        .multi_region = MULTI_REGION_PRIMARY,
        .policy = make_policy(),
        .now_ns = 1000,
    };
    assert_true(draft.spec->type->make(draft.spec, &draft.material));
    return keyring_create_key(ring, &draft);
}

static struct key *make_replica(const struct key *primary, const char *region)
{
    struct key *key = keyring_create_replica(ring, primary, region, make_policy(), 2000);
    key->settles_ns = 3000;
    keyring_save_key(ring, key);
    return key;
}

static struct key *key_in(const char *id, const char *region)
{
    char arn[128];
    int n = snprintf(arn, sizeof arn, "arn:aws:kms:%s:" ACCOUNT ":key/%s", region, id);
    return keyring_key(ring, (struct span){arn, (size_t)n});
}

static void assert_same_materials(const struct key *a, const struct key *b)
{
    assert_int_equal(a->materials_n, b->materials_n);
    for (size_t i = 0; i < a->materials_n; i++) {
        const struct key_material *x = a->materials[i], *y = b->materials[i];
        assert_memory_equal(x->backing_id, y->backing_id, BACKING_ID_SIZE);
        assert_string_equal(x->material_id, y->material_id);
        assert_int_equal(x->state, y->state);
        assert_int_equal(x->bytes.n, y->bytes.n);
        assert_memory_equal(x->bytes.p, y->bytes.p, x->bytes.n);
        assert_ptr_equal(keyring_material(ring, x->backing_id, a->region), x);
        assert_ptr_equal(keyring_material(ring, x->backing_id, b->region), y);
    }
}

static void test_related_keys(void **state)
{
    (void)state;
    char id[KEY_ID_SIZE];
    struct secret bytes;
    struct key *primary = make_primary();
    memcpy(id, primary->id, sizeof id);
    assert_false(key_has_replicas(primary));
    struct key *replica = make_replica(primary, "us-west-2");
    make_replica(primary, "eu-west-1");
    assert_true(key_has_replicas(primary));
    assert_false(key_has_replicas(replica));
    assert_int_equal(keyring_next(ring, DATE_SETTLING), 3000);
    assert_true(secret_copy(&bytes, "0123456789abcdef0123456789abcdef", 32));
    keyring_add_material(ring, primary, &bytes, MATERIAL_NON_CURRENT, 2500);
    primary->rotates = true;
    primary->rotation_days = 90;
    primary->next_rotation_ns = 9000;
    keyring_share_key(ring, primary);
    assert_same_materials(primary, replica);
    keyring_move_primary(ring, replica);
    close_all();
    open_all(true);
    primary = key_in(id, "us-west-2");
    struct key *before = key_in(id, REGION), *third = key_in(id, "eu-west-1");
    assert_int_equal(primary->multi_region, MULTI_REGION_PRIMARY);
    assert_int_equal(before->multi_region, MULTI_REGION_REPLICA);
    assert_int_equal(third->settles_ns, 3000);
    assert_ptr_equal(primary->family, third->family);
    assert_ptr_equal(primary->family->primary, primary);
    assert_ptr_equal(key_family_member(primary->family, SPAN(REGION)), before);
    assert_null(key_family_member(primary->family, SPAN("eu-west-2")));
    assert_same_materials(primary, before);
    assert_same_materials(primary, third);
    assert_true(third->rotates && third->next_rotation_ns == 9000 && third->rotation_days == 90);
}

// Each one's material goes with it; only when the last is gone it is remembered as that of a deleted key.
static void test_related_keys_go_one_by_one(void **state)
{
    (void)state;
    unsigned char backing_id[BACKING_ID_SIZE];
    struct key *primary = make_primary();
    memcpy(backing_id, key_current(primary)->backing_id, sizeof backing_id);
    struct key *west = make_replica(primary, "us-west-2"), *europe = make_replica(primary, "eu-west-1");
    keyring_schedule_after_replicas(ring, primary, 7);
    keyring_delete_key(ring, west);
    keyring_replica_is_gone(ring, primary->family, 5000);
    assert_int_equal(primary->state, KEY_PENDING_REPLICA_DELETION);
    assert_ptr_equal(keyring_material(ring, backing_id, "eu-west-1")->key, europe);
    assert_string_not_equal(keyring_material(ring, backing_id, "us-west-2")->key->region, "us-west-2");
    keyring_delete_key(ring, europe);
    keyring_replica_is_gone(ring, primary->family, 6000);
    assert_int_equal(primary->state, KEY_PENDING_DELETION);
    assert_int_equal(primary->deletion_ns, 6000 + 7 * NS_PER_DAY);
    assert_ptr_equal(keyring_material(ring, backing_id, "eu-west-1")->key, primary);
    close_all();
    open_all(true);
    struct key *due[2];
    assert_int_equal(keyring_due(ring, DATE_DELETION, INT64_MAX - 1, due, 2), 1);
    keyring_delete_key(ring, due[0]);
    assert_null(keyring_material(ring, backing_id, REGION)->key);
    close_all();
    open_all(true);
    assert_null(keyring_material(ring, backing_id, REGION)->key);
}

static void test_wrong_or_missing_root_key_is_refused(void **state)
{
    (void)state;
    make_key();
    close_all();
    assert_int_equal(unlink(root), 0);
    open_all(false);
    close_all();
    char wrong[66];
    memset(wrong, 'a', 64);
    wrong[64] = '\n';
    assert_true(file_replace(root, (struct span){wrong, 65}, 0600));
    open_all(false);
}

static void test_material_is_not_in_the_file(void **state)
{
    (void)state;
    struct key *key = make_key();
    unsigned char material[32];
    memcpy(material, key_current(key)->bytes.p, sizeof material);
    close_all();
    struct buf file;
    char wal[112];
    buf_init(&file, 64 << 20);
    snprintf(wal, sizeof wal, "%s-wal", db);
    assert_true(file_read(db, &file));
    file_read(wal, &file);
    assert_null(memmem(file.data, file.len, material, sizeof material));
    buf_done(&file);
    open_all(true);
}

static double since(int64_t start)
{
    return (double)(clock_monotonic_ns() - start) / 1e6;
}

// A private key of ML-DSA-87 with its seed takes nearly 5000 bytes.
static void test_large_material(void **state)
{
    (void)state;
    struct secret material;
    assert_true(secret_init(&material, 5000));
    memset(material.p, 'm', material.n);
    struct key *key = make_key_of(key_spec_find(SPAN("ML_DSA_87")), USAGE_SIGN_VERIFY, &material);
    char *arn = strdup(key->arn);
    close_all();
    open_all(true);
    key = keyring_key(ring, span_of(arn));
    assert_non_null(key);
    assert_true(secret_eq(secret_span(&key_current(key)->bytes), secret_span(&material)));
    secret_done(&material);
    free(arn);
}

static void test_large_state(void **state)
{
    (void)state;
    char table[32], why[256];
    struct key *key = NULL;
    for (int i = 0; i < 100000; i++)
        key = make_key();
    for (int i = 0; i < 50000; i++) {
        snprintf(table, sizeof table, "table-%d", i);
        keyring_create_grant(ring, key, make_grant(table));
    }
    struct span arn = span_of(strdup(key->arn));
    assert_true(store_commit(store, why, sizeof why));
    close_all();
    int64_t start = clock_monotonic_ns();
    open_all(true);
    print_message("10^5 keys and 5*10^4 grants of one key are loaded in %.0f ms\n", since(start));
    assert_int_equal(keyring_count(ring).keys, 100000);
    assert_int_equal(keyring_count(ring).grants, 50000);
    key = keyring_key(ring, arn);
    start = clock_monotonic_ns();
    struct grant *g = make_grant("one-more");
    keyring_create_grant(ring, key, g);
    make_key();
    print_message("one more key and grant: %.3f ms\n", since(start));
    free((void *)(uintptr_t)arn.p);
}

static void import(struct key *key, const char *id, const char *bytes)
{
    struct secret s = {0};
    char whole_id[KEY_MATERIAL_ID_SIZE];
    snprintf(whole_id, sizeof whole_id, "%s%062d", id, 0);
    assert_true(secret_copy(&s, bytes, strlen(bytes)));
    keyring_import_material(ring, key, whole_id, &s, 2000);
    keyring_finish_import(ring, key);
}

static void test_imported_material(void **state)
{
    (void)state;
    struct key *key = make_key(), *due[2];
    struct span arn = span_of(strdup(key->arn));
    key->origin = ORIGIN_EXTERNAL;
    keyring_delete_material(ring, key_current(key));
    assert_int_equal(key->state, KEY_PENDING_IMPORT);
    struct secret s = {0};
    assert_true(secret_copy(&s, "first", 5));
    keyring_restore_material(key_current(key), &s);
    key_current(key)->expires = true;
    key_current(key)->valid_to_ns = 7000;
    keyring_finish_import(ring, key);
    assert_int_equal(key->state, KEY_ENABLED);
    assert_int_equal(keyring_next(ring, DATE_EXPIRY), 7000);
    import(key, "b2", "second");
    assert_int_equal(key->materials[1]->state, MATERIAL_PENDING_ROTATION);
    close_all();
    open_all(true);
    key = keyring_key(ring, arn);
    assert_int_equal(keyring_next(ring, DATE_EXPIRY), 7000);
    assert_int_equal(keyring_due(ring, DATE_EXPIRY, 7000, due, 2), 1);
    // What waited for its rotation is forgotten, the key works on.
    unsigned char backing_id[BACKING_ID_SIZE];
    struct key_material *m = key->materials[1];
    memcpy(backing_id, m->backing_id, sizeof backing_id);
    assert_ptr_equal(key_material_by_id(key, span_of(m->material_id)), m);
    keyring_delete_material(ring, m);
    assert_null(keyring_material(ring, backing_id, REGION));
    assert_int_equal(key->state, KEY_ENABLED);
    // What is the key's for good leaves its ids.
    memcpy(backing_id, key_current(key)->backing_id, sizeof backing_id);
    keyring_delete_material(ring, key_current(key));
    assert_int_equal(keyring_due(ring, DATE_EXPIRY, INT64_MAX - 1, due, 2), 0);
    close_all();
    open_all(true);
    key = keyring_key(ring, arn);
    assert_int_equal(key->state, KEY_PENDING_IMPORT);
    assert_true(key_wants_material(key));
    assert_ptr_equal(keyring_material(ring, backing_id, REGION), key_current(key));
    assert_int_equal(key_current(key)->bytes.n, 0);
    free((void *)(uintptr_t)arn.p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_everything_is_there_after_a_restart),
        TEST(test_related_keys),
        TEST(test_related_keys_go_one_by_one),
        TEST(test_wrong_or_missing_root_key_is_refused),
        TEST(test_material_is_not_in_the_file),
        TEST(test_large_material),
        TEST(test_imported_material),
        TEST(test_large_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
