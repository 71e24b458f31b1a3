// Last uses: which of two is the later one, what is to be saved, and that they are there again after a restart.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_read.h"
#include "kmsd/keyring.h"

static struct last_use use(const char *operation, uint64_t run, int64_t time_ns)
{
    struct last_use u = {.run = run, .time_ns = time_ns};
    snprintf(u.operation, sizeof u.operation, "%s", operation);
    snprintf(u.request_id, sizeof u.request_id, "request of %d", (int)time_ns);
    snprintf(u.event_id, sizeof u.event_id, "event of %d", (int)time_ns);
    return u;
}

static void assert_use(struct last_use_box *const *box, const char *operation, int64_t time_ns)
{
    struct last_use got;
    assert_true(last_use_get(box, &got));
    assert_string_equal(got.operation, operation);
    assert_true(got.time_ns == time_ns);
}

static void the_last_one_stays(void **state)
{
    struct last_use_box *box = NULL;
    struct last_use got, u = use("Encrypt", 1, 10);
    (void)state;
    assert_false(last_use_get(&box, &got));
    assert_false(last_use_take_unsaved(&box, &got));
    assert_true(last_use_set(&box, &u));
    u = use("Decrypt", 1, 5); // a clock that was set back
    assert_false(last_use_set(&box, &u));
    assert_use(&box, "Decrypt", 5);
    assert_true(last_use_take_unsaved(&box, &got));
    assert_string_equal(got.operation, "Decrypt");
    assert_false(last_use_take_unsaved(&box, &got));
    u = use("Sign", 1, 6);
    assert_true(last_use_set(&box, &u));
    last_use_free(&box);
    assert_null(box);
    last_use_free(&box);
}

static void what_was_read_is_compared(void **state)
{
    struct last_use_box *box = NULL;
    struct last_use got, saved = use("Encrypt", 3, 100), later = use("Decrypt", 3, 100), older = use("Sign", 3, 99),
                         run_before = use("Verify", 2, 1000), run_after = use("GenerateMac", 4, 1);
    (void)state;
    last_use_restore(&box, &saved, true);
    assert_false(last_use_take_unsaved(&box, &got));
    last_use_restore(&box, &older, false);
    last_use_restore(&box, &run_before, false);
    assert_use(&box, "Encrypt", 100);
    assert_false(last_use_take_unsaved(&box, &got));
    last_use_restore(&box, &later, false); // of the same time, and behind it in the journal
    assert_use(&box, "Decrypt", 100);
    assert_true(last_use_take_unsaved(&box, &got));
    last_use_restore(&box, &run_after, false); // whatever the clock said
    assert_use(&box, "GenerateMac", 1);
    last_use_free(&box);
}

static void *set_often(void *arg)
{
    struct last_use_box **box = arg;
    for (int i = 1; i <= 2000; i++) {
        struct last_use got, u = use("Encrypt", 1, i);
        last_use_set(box, &u);
        assert_true(last_use_get(box, &got));
        char expected[UUID_TEXT_SIZE];
        snprintf(expected, sizeof expected, "event of %d", (int)got.time_ns);
        assert_string_equal(got.event_id, expected); // never half of one and half of another
        last_use_take_unsaved(box, &got);
    }
    return NULL;
}

static void many_threads(void **state)
{
    struct last_use_box *box = NULL;
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_often, &box), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_use(&box, "Encrypt", 2000);
    last_use_free(&box);
}

// ---- with a keyring and a store ----

#define NOBODY "arn:aws:kms:us-east-1:111122223333:key/00000000-1111-2222-3333-444444444444"

static char dir[64], db[96], root[96], why[512];
static struct rng *rng;
static struct store *store;
static struct keyring *ring;

static void open_all(int64_t now_ns)
{
    store = store_open(db, keyring_tables, STORE_SYNC_NORMAL, why, sizeof why);
    assert_non_null(store);
    struct keyring_options o = {.store = store, .root_key_path = root, .rng = rng};
    ring = keyring_open(&o, why, sizeof why);
    assert_non_null(ring);
    assert_true(keyring_load_uses(ring, now_ns, why, sizeof why));
}

static void close_all(void)
{
    assert_true(store_commit(store, why, sizeof why));
    keyring_close(ring);
    store_close(store);
}

static char *make_key(void)
{
    struct buf policy;
    buf_init(&policy, 4096);
    key_policy_default("aws", "111122223333", &policy);
    struct key_draft draft = {.account = "111122223333",
                              .region = "us-east-1",
                              .spec = &key_specs[0],
                              .origin = ORIGIN_EXTERNAL,
                              .policy = policy_pool_get(keyring_policies(ring), buf_span(&policy), why, sizeof why),
                              .now_ns = 1};
    buf_done(&policy);
    assert_non_null(draft.policy);
    keyring_write_lock(ring);
    char *arn = strdup(keyring_create_key(ring, &draft)->arn);
    keyring_write_unlock(ring);
    return arn;
}

static struct last_use_box *const *box_of(const char *arn)
{
    return &keyring_key(ring, span_of(arn))->last_use;
}

static void saved_uses_are_there_again(void **state)
{
    struct last_use u = use("Encrypt", 1, 7), got;
    (void)state;
    open_all(5);
    assert_true(keyring_uses_since(ring) == 0); // there is no key yet: all uses will be known
    char *used = make_key(), *idle = make_key();
    keyring_note_use(ring, span_of(used), &u);
    keyring_note_use(ring, SPAN(NOBODY), &u); // deleted meanwhile
    assert_true(keyring_save_uses(ring, why, sizeof why));
    close_all();
    open_all(50);
    assert_true(keyring_uses_since(ring) == 0);
    assert_use(box_of(used), "Encrypt", 7);
    assert_false(last_use_get(box_of(idle), &got));
    u = use("Decrypt", 1, 8); // not saved: the journal has it
    keyring_replay_use(ring, span_of(used), &u);
    keyring_replay_use(ring, SPAN(NOBODY), &u);
    assert_use(box_of(used), "Decrypt", 8);
    assert_true(keyring_save_uses(ring, why, sizeof why));
    close_all();
    open_all(60);
    assert_use(box_of(used), "Decrypt", 8);
    keyring_write_lock(ring);
    keyring_forget_uses(ring, 70);
    keyring_write_unlock(ring);
    close_all();
    open_all(80);
    assert_true(keyring_uses_since(ring) == 70);
    assert_false(last_use_get(box_of(used), &got));
    u = use("Sign", 1, 69); // of before
    keyring_replay_use(ring, span_of(used), &u);
    assert_false(last_use_get(box_of(used), &got));
    close_all();
    free(used);
    free(idle);
}

static int setup(void **state)
{
    (void)state;
    json_read_setup();
    rng = rng_new(NULL);
    snprintf(dir, sizeof dir, "test-last-use-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(db, sizeof db, "%s/state.db", dir);
    snprintf(root, sizeof root, "%s/root-key", dir);
    return 0;
}

static int teardown(void **state)
{
    char path[128];
    static const char *const suffixes[] = {"", "-wal", "-shm", "-mark"};
    (void)state;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", db, suffixes[i]);
        unlink(path);
    }
    unlink(root);
    rng_free(rng);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_one_stays),
        cmocka_unit_test(what_was_read_is_compared),
        cmocka_unit_test(many_threads),
        cmocka_unit_test_setup_teardown(saved_uses_are_there_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
