// What the store has committed is there after kill -9, what it has not is not; threads share commits; foreign, newer
// and damaged files are refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/store/store.h"

static const char *const tables[] = {"grants", "keys", NULL};
static char dir[64], path[96], why[512];

static int setup(void **state)
{
    (void)state;
    const char *root = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.40s/store.XXXXXX", root ? root : P_tmpdir);
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/state.db", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    return rmdir(dir);
}

static struct store *open_store(void)
{
    struct store *s = store_open(path, tables, STORE_SYNC_FULL, why, sizeof why);
    if (!s)
        fail_msg("%s", why);
    return s;
}

static void commit(struct store *s)
{
    if (!store_commit(s, why, sizeof why))
        fail_msg("%s", why);
}

static bool collect(void *arg, struct span key, struct span value)
{
    return buf_appendf(arg, "%.*s=%.*s ", (int)key.n, key.p, (int)value.n, value.p);
}

static const char *contents(struct store *s, const char *table)
{
    static struct buf text;
    buf_done(&text);
    buf_init(&text, 1 << 20);
    if (!store_scan(s, table, collect, &text, why, sizeof why))
        fail_msg("%s", why);
    return buf_str(&text);
}

static void changes_survive_a_restart(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_false(store_dirty(s));
    store_put(s, "keys", SPAN("b"), SPAN("1"));
    store_put(s, "keys", SPAN("a"), SPAN("2"));
    store_put(s, "keys", SPAN("c"), SPAN("3"));
    store_put(s, "grants", SPAN("a"), SPAN("other table"));
    assert_true(store_dirty(s));
    assert_string_equal(contents(s, "keys"), "");
    commit(s);
    assert_false(store_dirty(s));
    store_put(s, "keys", SPAN("b"), SPAN("new"));
    store_delete(s, "keys", SPAN("c"));
    store_delete(s, "keys", SPAN("never there"));
    store_put(s, "keys", SPAN("d"), SPAN(""));
    store_put(s, "keys", SPAN("e"), SPAN("1"));
    store_delete(s, "keys", SPAN("e"));
    commit(s);
    commit(s); // nothing to do
    assert_string_equal(contents(s, "keys"), "a=2 b=new d= ");
    store_put(s, "keys", SPAN("z"), SPAN("never committed"));
    store_close(s);
    s = open_store();
    assert_string_equal(contents(s, "keys"), "a=2 b=new d= ");
    assert_string_equal(contents(s, "grants"), "a=other table ");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(s);
}

static bool first_only(void *arg, struct span key, struct span value)
{
    (void)value;
    *(char *)arg = key.p[0];
    return false;
}

static void bytes_are_bytes(void **state)
{
    (void)state;
    struct store *s = open_store();
    store_put(s, "keys", (struct span){"\0\xff\0", 3}, (struct span){"\0\0", 2});
    store_put(s, "keys", (struct span){"\xff", 1}, (struct span){"v", 1});
    commit(s);
    char first = 'x';
    assert_true(store_scan(s, "keys", first_only, &first, why, sizeof why));
    assert_int_equal(first, 0); // in the order of unsigned bytes
    store_close(s);
}

static void nothing_is_kept_in_memory(void **state)
{
    (void)state;
    struct store *s = store_open(NULL, tables, STORE_SYNC_FULL, why, sizeof why);
    assert_non_null(s);
    store_put(s, "keys", SPAN("a"), SPAN("1"));
    store_delete(s, "keys", SPAN("b"));
    assert_false(store_dirty(s));
    commit(s);
    assert_string_equal(contents(s, "keys"), "");
    store_close(s);
}

static void expect_refused(const char *reason)
{
    why[0] = '\0';
    struct store *s = store_open(path, tables, STORE_SYNC_FULL, why, sizeof why);
    assert_null(s);
    if (!strstr(why, path) || !strstr(why, reason))
        fail_msg("expected \"%s\" and the file's name: %s", reason, why);
}

static void sql(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void foreign_files_are_refused(void **state)
{
    (void)state;
    assert_true(file_replace(path,
                             SPAN("certainly not a database, but long enough to look at it twice ........."
                                  "................................................................"),
                             0600));
    expect_refused("not a database");
    unlink(path);
    sql("CREATE TABLE t (x)");
    expect_refused("not a store");
    unlink(path);
    store_close(open_store());
    sql("PRAGMA user_version = 2");
    expect_refused("version 2");
}

static void one_process_at_a_time(void **state)
{
    (void)state;
    struct store *s = open_store();
    expect_refused("locked");
    store_close(s);
    store_close(open_store());
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct store *s = open_store();
    char key[16], value[600];
    memset(value, 'v', sizeof value);
    for (int i = 0; i < 200; i++) {
        int n = snprintf(key, sizeof key, "key %03d", i);
        store_put(s, "keys", (struct span){key, (size_t)n}, (struct span){value, sizeof value});
    }
    commit(s);
    store_close(s);
    struct buf whole;
    buf_init(&whole, 4 << 20);
    assert_true(file_read(path, &whole));

    // A page of the tree.
    memset(whole.data + 4096 * 5, 0x5a, 200);
    assert_true(file_replace(path, buf_span(&whole), 0600));
    expect_refused("");
    assert_true(strlen(why) > strlen(path) + 2);
    buf_done(&whole);
}

static void a_changed_value_is_refused(void **state)
{
    (void)state;
    struct store *s = open_store();
    store_put(s, "keys", SPAN("a"), SPAN("find this text"));
    commit(s);
    store_close(s);
    struct buf whole;
    buf_init(&whole, 4 << 20);
    assert_true(file_read(path, &whole));
    char *at = memmem(whole.data, whole.len, "find this", 9);
    assert_non_null(at);
    at[0] = 'F';
    assert_true(file_replace(path, buf_span(&whole), 0600));
    buf_done(&whole);
    s = open_store();
    char first;
    assert_false(store_scan(s, "keys", first_only, &first, why, sizeof why));
    assert_non_null(strstr(why, "damaged"));
    store_close(s);
}

static void name_damaged(void *arg, struct span key)
{
    buf_appendf(arg, "%.*s damaged ", (int)key.n, key.p);
}

static void other_records_can_be_read_beside_a_damaged_one(void **state)
{
    (void)state;
    struct store *s = open_store();
    store_put(s, "keys", SPAN("a"), SPAN("1"));
    store_put(s, "keys", SPAN("b"), SPAN("2"));
    store_put(s, "keys", SPAN("c"), SPAN("3"));
    commit(s);
    store_close(s);
    sql("UPDATE keys SET value = x'99' WHERE key = x'62'");
    s = open_store();
    struct buf text;
    buf_init(&text, 1000);
    assert_true(store_scan_damaged(s, "keys", collect, name_damaged, &text, why, sizeof why));
    assert_string_equal(buf_str(&text), "a=1 b damaged c=3 ");
    buf_done(&text);
    store_close(s);
    // A key that is not what was written cannot be believed either.
    sql("UPDATE keys SET key = x'64' WHERE key = x'62'");
    s = open_store();
    buf_init(&text, 1000);
    assert_false(store_scan_damaged(s, "keys", collect, name_damaged, &text, why, sizeof why));
    buf_done(&text);
    store_close(s);
}

// ---- the write-ahead log ----

static const char *beside(const char *suffix)
{
    static char name[128];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return name;
}

// Commits four records one by one and dies: all of them are in the log only.
static void die_with_a_log(void)
{
    pid_t child = fork();
    if (child == 0) {
        struct store *s = open_store();
        for (const char *key = "abcd"; *key; key++) {
            store_put(s, "keys", (struct span){key, 1}, SPAN("1"));
            commit(s);
        }
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
}

// SQLite would take a changed byte for the end of the log and go on without what follows.
static void a_changed_byte_of_the_log_is_refused(void **state)
{
    (void)state;
    struct buf log, database;
    die_with_a_log();
    buf_init(&log, 1 << 20);
    buf_init(&database, 1 << 20);
    assert_true(file_read(beside("-wal"), &log) && file_read(path, &database));
    for (size_t at = 0; at < log.len; at += 1009) {
        log.data[at] ^= 0x10;
        for (int again = 0; again < 2; again++) { // the refusal leaves everything as it is
            assert_true(again || file_replace(beside("-wal"), buf_span(&log), 0600));
            expect_refused("acknowledged changes are missing");
        }
        log.data[at] ^= 0x10;
        assert_true(file_replace(path, buf_span(&database), 0600));
    }
    unlink(beside("-wal"));
    expect_refused("acknowledged changes are missing");
    assert_true(file_replace(beside("-wal"), buf_span(&log), 0600));
    struct store *s = open_store();
    assert_string_equal(contents(s, "keys"), "a=1 b=1 c=1 d=1 ");
    store_close(s);
    buf_done(&log);
    buf_done(&database);
}

static void a_lost_or_damaged_mark_is_no_obstacle(void **state)
{
    (void)state;
    die_with_a_log();
    assert_true(file_replace(beside("-mark"), SPAN("0123456789abcdef"), 0600));
    store_close(open_store());
    unlink(beside("-mark"));
    struct store *s = open_store();
    assert_string_equal(contents(s, "keys"), "a=1 b=1 c=1 d=1 ");
    store_put(s, "keys", SPAN("e"), SPAN("1"));
    commit(s);
    store_close(s);
    struct stat st;
    assert_int_equal(stat(beside("-mark"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(open_store());
}

// A full disk: nothing applied, nothing lost, the next commit has all of it.
static void a_failed_commit_keeps_the_changes(void **state)
{
    (void)state;
    struct rlimit old, small;
    struct store *s = open_store();
    store_put(s, "keys", SPAN("a"), SPAN("1"));
    commit(s);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 100;
    setrlimit(RLIMIT_FSIZE, &small);
    store_put(s, "keys", SPAN("b"), SPAN("2"));
    bool ok = store_commit(s, why, sizeof why);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_false(ok);
    assert_non_null(strstr(why, path));
    assert_true(store_dirty(s));
    assert_string_equal(contents(s, "keys"), "a=1 ");
    store_put(s, "keys", SPAN("b"), SPAN("3"));
    commit(s);
    assert_string_equal(contents(s, "keys"), "a=1 b=3 ");
    store_close(s);
}

// Nobody's commit takes what is held, and it comes in its place.
static void *commit_now(void *arg)
{
    char reason[256];
    store_put(arg, "keys", SPAN("b"), SPAN("other"));
    assert_true(store_commit(arg, reason, sizeof reason));
    return NULL;
}

static void what_is_held_waits(void **state)
{
    (void)state;
    pthread_t thread;
    struct store *s = open_store();
    store_hold(s);
    store_put(s, "keys", SPAN("a"), SPAN("1"));
    pthread_create(&thread, NULL, commit_now, s);
    pthread_join(thread, NULL);
    assert_string_equal(contents(s, "keys"), "b=other ");
    store_put(s, "keys", SPAN("b"), SPAN("later"));
    store_publish(s);
    commit(s);
    assert_string_equal(contents(s, "keys"), "a=1 b=later ");
    store_put(s, "keys", SPAN("d"), SPAN("2"));
    commit(s);
    assert_string_equal(contents(s, "keys"), "a=1 b=later ");
    store_release(s);
    assert_true(store_dirty(s));
    commit(s);
    assert_string_equal(contents(s, "keys"), "a=1 b=later d=2 ");
    store_hold(s);
    store_put(s, "keys", SPAN("c"), SPAN("lost"));
    store_close(s);
    s = open_store();
    assert_string_equal(contents(s, "keys"), "a=1 b=later d=2 ");
    store_close(s);
}

struct committer {
    pthread_t thread;
    struct store *store;
    int index;
    bool failed;
};

static void *commit_many(void *arg)
{
    struct committer *c = arg;
    char key[32], reason[256];
    for (int i = 0; i < 50; i++) {
        int n = snprintf(key, sizeof key, "%d/%02d", c->index, i);
        store_put(c->store, "keys", (struct span){key, (size_t)n}, SPAN("x"));
        if (!store_commit(c->store, reason, sizeof reason))
            c->failed = true;
    }
    return NULL;
}

static bool count(void *arg, struct span key, struct span value)
{
    (void)key, (void)value;
    ++*(int *)arg;
    return true;
}

static void threads_share_commits(void **state)
{
    (void)state;
    struct committer c[4];
    struct store *s = open_store();
    for (int i = 0; i < 4; i++) {
        c[i] = (struct committer){.store = s, .index = i};
        assert_int_equal(pthread_create(&c[i].thread, NULL, commit_many, &c[i]), 0);
    }
    int n = 0;
    for (int i = 0; i < 20; i++) // scans do not disturb
        assert_true(store_scan(s, "keys", count, &n, why, sizeof why));
    for (int i = 0; i < 4; i++) {
        pthread_join(c[i].thread, NULL);
        assert_false(c[i].failed);
    }
    n = 0;
    assert_true(store_scan(s, "keys", count, &n, why, sizeof why));
    assert_int_equal(n, 200);
    store_close(s);
}

// A child commits pairs until it is killed: what it was told to be durable is there, and no half of a pair.
static void committed_changes_survive_a_kill(void **state)
{
    (void)state;
    int *acknowledged = mmap(NULL, sizeof *acknowledged, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 10; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct store *s = store_open(path, tables, STORE_SYNC_NORMAL, why, sizeof why);
            for (int i = *acknowledged + 1; s; i++) {
                char key[16];
                int n = snprintf(key, sizeof key, "%06d", i);
                store_put(s, "keys", (struct span){key, (size_t)n}, SPAN("x"));
                store_put(s, "grants", (struct span){key, (size_t)n}, SPAN("x"));
                if (!store_commit(s, why, sizeof why))
                    break;
                __atomic_store_n(acknowledged, i, __ATOMIC_SEQ_CST);
            }
            _exit(1);
        }
        int target = *acknowledged + 3 + round * 5;
        while (__atomic_load_n(acknowledged, __ATOMIC_SEQ_CST) < target && waitpid(child, NULL, WNOHANG) == 0)
            sched_yield();
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        struct store *s = open_store();
        int keys = 0, grants = 0;
        assert_true(store_scan(s, "keys", count, &keys, why, sizeof why));
        assert_true(store_scan(s, "grants", count, &grants, why, sizeof why));
        assert_true(keys >= *acknowledged && keys <= *acknowledged + 1);
        assert_int_equal(keys, grants);
        *acknowledged = keys;
        store_close(s);
    }
    munmap(acknowledged, sizeof *acknowledged);
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(changes_survive_a_restart),
        TEST(bytes_are_bytes),
        TEST(nothing_is_kept_in_memory),
        TEST(foreign_files_are_refused),
        TEST(one_process_at_a_time),
        TEST(damage_is_refused),
        TEST(a_changed_value_is_refused),
        TEST(a_failed_commit_keeps_the_changes),
        TEST(what_is_held_waits),
        TEST(threads_share_commits),
        TEST(committed_changes_survive_a_kill),
        TEST(other_records_can_be_read_beside_a_damaged_one),
        TEST(a_changed_byte_of_the_log_is_refused),
        TEST(a_lost_or_damaged_mark_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
