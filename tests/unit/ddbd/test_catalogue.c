// The catalogue across restarts, and the key above it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/json_read.h"
#include "ddbd/catalogue.h"
#include "ddbd/owned_key.h"

static const char *const store_tables[] = {CATALOGUE_TABLE, OWNED_KEY_TABLE, NULL};

struct world {
    char dir[64], db[96], key_path[96];
    struct store *store;
    struct catalogue *c;
};

static void start(struct world *w)
{
    char why[256] = "";
    w->store = store_open(w->db, store_tables, STORE_SYNC_NORMAL, why, sizeof why);
    assert_non_null(w->store);
    w->c = catalogue_new(w->store);
    assert_true(catalogue_load(w->c, why, sizeof why));
}

static void stop(struct world *w, bool commit)
{
    char why[256];
    if (commit)
        assert_true(store_commit(w->store, why, sizeof why));
    catalogue_free(w->c);
    store_close(w->store);
}

static void restart(struct world *w, bool commit)
{
    stop(w, commit);
    start(w);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "%s", "/var/tmp/test_catalogue_XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    snprintf(w->db, sizeof w->db, "%s/state.db", w->dir);
    snprintf(w->key_path, sizeof w->key_path, "%s/owned-key", w->dir);
    start(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[128];
    stop(w, false);
    const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "owned-key"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, names[i]);
        unlink(path);
    }
    rmdir(w->dir);
    free(w);
    return 0;
}

static struct table_info *make(const char *account, const char *region, const char *name)
{
    static unsigned serial;
    struct table_info *t = calloc(1, sizeof *t);
    atomic_init(&t->refs, 1);
    snprintf(t->account, sizeof t->account, "%s", account);
    snprintf(t->region, sizeof t->region, "%s", region);
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->id, sizeof t->id, "e6befed6-86c8-4b4d-b800-%012u", ++serial);
    snprintf(t->schema.hash.name, sizeof t->schema.hash.name, "%s", "player");
    return t;
}

static bool add(struct world *w, const char *account, const char *region, const char *name)
{
    struct table_info *t = make(account, region, name);
    bool added = catalogue_add(w->c, t);
    table_info_unref(t);
    return added;
}

struct listed {
    char text[256];
    int left;
};

static bool list_one(void *arg, const char *name)
{
    struct listed *l = arg;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "%s ", name);
    return --l->left > 0;
}

static const char *names(struct world *w, const char *account, const char *region, const char *after, int limit)
{
    static struct listed l;
    l = (struct listed){"", limit};
    catalogue_names(w->c, account, region, after, list_one, &l);
    return l.text;
}

static void names_belong_to_an_account_and_region(void **state)
{
    struct world *w = *state;
    assert_true(add(w, "111122223333", "us-east-1", "ratings"));
    assert_false(add(w, "111122223333", "us-east-1", "ratings"));
    assert_true(add(w, "111122223333", "us-east-2", "ratings"));
    assert_true(add(w, "444455556666", "us-east-1", "ratings"));
    assert_true(add(w, "111122223333", "us-east-1", "books"));
    assert_string_equal(names(w, "111122223333", "us-east-1", NULL, 9), "books ratings ");
    assert_string_equal(names(w, "111122223333", "us-east-1", "books", 9), "ratings ");
    assert_string_equal(names(w, "111122223333", "us-east-1", "boo", 1), "books ");
    assert_string_equal(names(w, "111122223333", "us-east-2", NULL, 9), "ratings ");
    assert_string_equal(names(w, "444455556666", "us-east-2", NULL, 9), "");
}

static bool everything(struct table_info *t, void *arg)
{
    (void)arg;
    t->status = TABLE_INACCESSIBLE;
    t->created_ns = INT64_C(1552353132722000000);
    t->schema.hash.type = ATTR_B;
    snprintf(t->schema.range.name, sizeof t->schema.range.name, "%s", "r\xc3\xa4ting \"x\"");
    t->schema.range.type = ATTR_N;
    t->schema.has_range = t->range_defined_first = true;
    t->on_demand = t->deletion_protected = true;
    t->class = TABLE_CLASS_INFREQUENT;
    t->read_units = 5;
    t->decreases_today = 3;
    t->throughput_pending = true;
    t->pending_write_units = 77;
    t->items = 12;
    t->bytes = 3456;
    t->key = (struct table_key){.version = 7, .kind = SSE_KMS, .wrapped_n = KMS_BLOB_MAX};
    snprintf(t->key.kms_arn, sizeof t->key.kms_arn, "%s", "arn:aws:kms:us-east-1:111122223333:key/k");
    memset(t->key.grant_ids[1], 'f', GRANT_ID_SIZE - 1);
    memset(t->key.wrapped, 0xab, KMS_BLOB_MAX);
    memset(t->key.wrapped_dek, 0xcd, KEY_WRAPPED_SIZE);
    t->phase = SSE_NEW_SHOWN;
    t->phase_until_ns = 99;
    t->inaccessible_ns = 98;
    t->sse_changes = 4;
    return true;
}

static void everything_survives_a_restart(void **state)
{
    struct world *w = *state;
    add(w, "111122223333", "us-east-1", "ratings");
    const struct table_info *t = catalogue_find(w->c, "111122223333", "us-east-1", "ratings");
    const struct table_info *changed = catalogue_change(w->c, t, everything, NULL);
    assert_int_equal(t->status, TABLE_CREATING); // the snapshot that somebody holds does not change
    restart(w, true);
    const struct table_info *again = catalogue_find(w->c, "111122223333", "us-east-1", "ratings");
    size_t from = offsetof(struct table_info, account);
    assert_memory_equal((const char *)again + from, (const char *)changed + from, sizeof *again - from);
    table_info_unref(again);
    table_info_unref(changed);
    table_info_unref(t);
}

static void what_was_not_committed_is_gone(void **state)
{
    struct world *w = *state;
    add(w, "111122223333", "us-east-1", "kept1");
    restart(w, true);
    add(w, "111122223333", "us-east-1", "lost1");
    restart(w, false);
    assert_string_equal(names(w, "111122223333", "us-east-1", NULL, 9), "kept1 ");
}

static bool refuse(struct table_info *t, void *arg)
{
    (void)arg;
    t->status = TABLE_DELETING;
    return false;
}

static void another_table_of_the_same_name_is_not_touched(void **state)
{
    struct world *w = *state;
    add(w, "111122223333", "us-east-1", "ratings");
    const struct table_info *first = catalogue_find(w->c, "111122223333", "us-east-1", "ratings");
    assert_null(catalogue_change(w->c, first, refuse, NULL));
    catalogue_remove(w->c, first);
    add(w, "111122223333", "us-east-1", "ratings");
    assert_null(catalogue_change(w->c, first, everything, NULL));
    catalogue_remove(w->c, first);
    const struct table_info *second = catalogue_find(w->c, "111122223333", "us-east-1", "ratings");
    assert_non_null(second);
    assert_int_equal(second->status, TABLE_CREATING);
    restart(w, true);
    assert_int_equal(catalogue_count(w->c, "111122223333", "us-east-1"), 1);
    table_info_unref(first);
    table_info_unref(second);
}

static void a_damaged_record_is_a_refusal_that_names_the_table(void **state)
{
    struct world *w = *state;
    char why[256] = "";
    store_put(w->store, CATALOGUE_TABLE, SPAN("111122223333/us-east-1/ratings"), SPAN("{\"account\":1}"));
    assert_true(store_commit(w->store, why, sizeof why));
    struct catalogue *c = catalogue_new(w->store);
    assert_false(catalogue_load(c, why, sizeof why));
    assert_non_null(strstr(why, "111122223333/us-east-1/ratings"));
    catalogue_free(c);
    store_delete(w->store, CATALOGUE_TABLE, SPAN("111122223333/us-east-1/ratings"));
}

static void a_changed_record_is_its_tables_own_matter(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "table%d", i);
        struct table_info *t = make("111122223333", "us-east-1", name);
        assert_true(catalogue_add(w->c, t));
        table_info_unref(t);
    }
    stop(w, true);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(w->db, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE tables SET value = x'7b7d' WHERE CAST(key AS TEXT) LIKE '%table1'", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
    start(w);
    assert_int_equal(catalogue_count(w->c, "111122223333", "us-east-1"), 3);
    assert_false(catalogue_is_damaged(w->c, "111122223333", "us-east-1", "table0"));
    assert_true(catalogue_is_damaged(w->c, "111122223333", "us-east-1", "table1"));
    assert_false(catalogue_is_damaged(w->c, "111122223333", "us-east-1", "table9"));
    struct table_info *t = make("111122223333", "us-east-1", "table1");
    assert_false(catalogue_add(w->c, t)); // the name is not free
    table_info_unref(t);
}

// ---- the owned key ----

static void the_owned_key_stays_the_same(void **state)
{
    struct world *w = *state;
    char why[256];
    struct stat st;
    struct secret first = {0}, second = {0};
    assert_true(owned_key_open(&first, w->dir, w->store, why, sizeof why));
    assert_int_equal(stat(w->key_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    restart(w, true);
    assert_true(owned_key_open(&second, w->dir, w->store, why, sizeof why));
    assert_true(secret_eq(secret_span(&first), secret_span(&second)));
    secret_done(&first);
    secret_done(&second);
}

static void a_lost_or_exchanged_owned_key_is_a_refusal(void **state)
{
    struct world *w = *state;
    char why[256];
    struct secret key = {0};
    assert_true(owned_key_open(&key, w->dir, w->store, why, sizeof why));
    secret_done(&key);
    unlink(w->key_path);
    assert_false(owned_key_open(&key, w->dir, w->store, why, sizeof why));
    assert_non_null(strstr(why, "owned-key"));
    assert_true(access(w->key_path, F_OK) != 0); // no new key is made in its place
    assert_true(
        file_replace(w->key_path, SPAN("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"), 0600));
    assert_false(owned_key_open(&key, w->dir, w->store, why, sizeof why));
    assert_non_null(strstr(why, "owned-key"));
    assert_true(file_replace(w->key_path, SPAN("short"), 0600));
    assert_false(owned_key_open(&key, w->dir, w->store, why, sizeof why));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    json_read_setup();
    const struct CMUnitTest tests[] = {
        TEST(names_belong_to_an_account_and_region),
        TEST(everything_survives_a_restart),
        TEST(what_was_not_committed_is_gone),
        TEST(another_table_of_the_same_name_is_not_touched),
        TEST(a_damaged_record_is_a_refusal_that_names_the_table),
        TEST(a_changed_record_is_its_tables_own_matter),
        TEST(the_owned_key_stays_the_same),
        TEST(a_lost_or_exchanged_owned_key_is_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
