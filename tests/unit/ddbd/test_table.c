// Tables: what was committed is there whatever happens to the process, failures reach exactly those whose writes were
// in them, counts are right, and one table's trouble is no other's.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/ddbd/table_fixture.h"

static void test_put_get_delete(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    struct buf one, two, old;
    char key[32];
    bool existed;
    uint64_t ticket;
    fixture_item(1, "one", &one);
    fixture_item(1, "two", &two);
    buf_init(&old, 1 << 20);
    assert_int_equal(fixture_get(t, 1, "one"), 0);
    struct span k = fixture_key_bytes(1, key);
    assert_int_equal(table_put(t, k, buf_span(&one), &old, &existed, &ticket), TABLE_OK);
    assert_false(existed);
    assert_int_equal(old.len, 0);
    assert_int_equal(fixture_get(t, 1, "one"), 1);
    assert_int_equal(table_put(t, k, buf_span(&two), &old, &existed, &ticket), TABLE_OK);
    assert_true(existed);
    assert_true(span_eq(buf_span(&old), buf_span(&one)));
    buf_reset(&old, 0);
    assert_int_equal(table_delete(t, k, &old, &existed, &ticket), TABLE_OK);
    assert_true(existed);
    assert_true(span_eq(buf_span(&old), buf_span(&two)));
    assert_int_equal(table_delete(t, k, NULL, &existed, &ticket), TABLE_OK);
    assert_false(existed);
    assert_int_equal(table_commit(t, ticket), TABLE_OK);
    assert_int_equal(fixture_get(t, 1, "one"), 0);
    assert_int_equal(table_close(t), TABLE_OK);
    buf_done(&one);
    buf_done(&two);
    buf_done(&old);
}

static void test_counts_survive(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    size_t each = strlen("partition-name") + strlen("key-00000000") + strlen("data-name");
    fixture_put_commit(t, 1, "12345");
    fixture_put_commit(t, 2, "12345");
    fixture_put_commit(t, 2, "1");
    assert_int_equal(table_stats(t).items, 2);
    assert_int_equal(table_stats(t).bytes, 2 * each + 6);
    assert_int_equal(table_close(t), TABLE_OK);
    t = fixture_open(NULL);
    assert_int_equal(table_stats(t).items, 2);
    assert_int_equal(table_stats(t).bytes, 2 * each + 6);
    assert_int_equal(table_close(t), TABLE_OK);
}

static void test_large_items(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    char *text = malloc(400001);
    memset(text, 'x', 400000);
    text[400000] = '\0';
    for (int i = 0; i < 20; i++)
        fixture_put_commit(t, i % 5, text);
    assert_int_equal(fixture_get(t, 4, text), 1);
    assert_int_equal(table_stats(t).items, 5);
    assert_int_equal(table_close(t), TABLE_OK);
    t = fixture_open(NULL);
    assert_int_equal(fixture_get(t, 0, text), 1);
    assert_int_equal(table_close(t), TABLE_OK);
    free(text);
}

static void test_one_commit_serves_all(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    uint64_t a, b, none;
    bool found;
    struct buf got;
    char key[32];
    buf_init(&got, 10000);
    assert_int_equal(fixture_put(t, 1, "a", &a), TABLE_OK);
    assert_int_equal(fixture_put(t, 2, "b", &b), TABLE_OK);
    // A read of what is pending must wait for it too.
    assert_int_equal(table_get(t, fixture_key_bytes(1, key), &got, &found, &none), TABLE_OK);
    assert_true(found);
    assert_true(none != 0);
    assert_int_equal(table_commit(t, b), TABLE_OK);
    assert_int_equal(table_commit(t, a), TABLE_OK);
    assert_int_equal(table_commit(t, 0), TABLE_OK);
    assert_int_equal(table_get(t, fixture_key_bytes(1, key), &got, &found, &none), TABLE_OK);
    assert_int_equal(none, 0);
    buf_done(&got);
    assert_int_equal(table_close(t), TABLE_OK);
}

static rlim_t file_limit(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return before;
}

// The disk takes nothing more: everybody in that commit is told, nobody else, and later all is well again.
static void test_failed_commit(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct table *t = fixture_open(NULL);
    fixture_put_commit(t, 1, "before");
    uint64_t good, a, b, c;
    assert_int_equal(fixture_put(t, 2, "good", &good), TABLE_OK);
    assert_int_equal(table_commit(t, good), TABLE_OK);
    assert_int_equal(fixture_put(t, 1, "lost", &a), TABLE_OK);
    assert_int_equal(fixture_put(t, 3, "lost", &b), TABLE_OK);
    rlim_t before = file_limit(20000);
    assert_int_not_equal(table_commit(t, a), TABLE_OK);
    assert_int_not_equal(table_commit(t, b), TABLE_OK);
    file_limit(before);
    assert_int_equal(table_commit(t, good), TABLE_OK);
    char words[200];
    table_error(t, words, sizeof words);
    assert_true(strlen(words) > 0);
    assert_int_equal(fixture_get(t, 1, "before"), 1);
    assert_int_equal(fixture_get(t, 3, "lost"), 0);
    assert_int_equal(table_stats(t).items, 2);
    assert_int_equal(fixture_put(t, 4, "after", &c), TABLE_OK);
    assert_int_equal(table_commit(t, c), TABLE_OK);
    assert_int_not_equal(table_commit(t, b), TABLE_OK);
    assert_int_equal(table_close(t), TABLE_OK);
    t = fixture_open(NULL);
    assert_int_equal(fixture_get(t, 1, "before"), 1);
    assert_int_equal(fixture_get(t, 2, "good"), 1);
    assert_int_equal(fixture_get(t, 3, "lost"), 0);
    assert_int_equal(fixture_get(t, 4, "after"), 1);
    assert_int_equal(table_close(t), TABLE_OK);
}

// A page damaged under an open table: reads that need it fail, other items and other tables do not.
static void test_damage_is_the_tables_own(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL), *other;
    char text[300];
    memset(text, 't', sizeof text);
    text[299] = '\0';
    for (int i = 0; i < 500; i++)
        fixture_put_commit(t, i, text);
    assert_int_equal(table_close(t), TABLE_OK);
    assert_int_equal(table_create("other.db", fixture_key, NULL), TABLE_OK);
    assert_int_equal(table_open("other.db", fixture_key, NULL, &other), TABLE_OK);
    fixture_put_commit(other, 1, "fine");
    struct buf file = fixture_read(FIXTURE_PATH);
    file.data[4096 + 10 * 4096 + 77] ^= 1;
    fixture_write(FIXTURE_PATH, buf_span(&file));
    buf_done(&file);
    t = fixture_open(NULL);
    int right = 0, errors = 0;
    for (int i = 0; i < 500; i++) {
        int got = fixture_get(t, i, text);
        right += got == 1;
        errors += got == -1;
    }
    assert_int_equal(right + errors, 500);
    assert_in_range(errors, 1, 40);
    // The write fails, and takes what was pending with it; the table goes on.
    uint64_t a, b;
    bool failed = false;
    for (int i = 0; i < 500 && !failed; i++) {
        assert_int_equal(fixture_put(t, 1000, "pending", &a), TABLE_OK);
        failed = fixture_put(t, i, "new", &b) == TABLE_DAMAGED;
        if (!failed)
            assert_int_equal(table_commit(t, b), TABLE_OK);
    }
    assert_true(failed);
    assert_int_equal(table_commit(t, a), TABLE_DAMAGED);
    fixture_put_commit(t, 2000, "still works");
    assert_int_equal(fixture_get(other, 1, "fine"), 1);
    fixture_put_commit(other, 2, "fine");
    table_close(t);
    assert_int_equal(table_close(other), TABLE_OK);
}

// kill -9.

static const struct page_vfs_options modes[] = {
    {.sync = PAGE_VFS_SYNC_COMMIT, .checkpoint_pages = 20},
    {.sync = PAGE_VFS_SYNC_CHECKPOINT, .checkpoint_pages = 20},
};

// Puts in batches for ever, and says after each commit how far it has come.
static void worker(int say, int from, const struct page_vfs_options *options)
{
    struct table *t;
    if (table_open(FIXTURE_PATH, fixture_key, options, &t) != TABLE_OK)
        _exit(2);
    for (int i = from;; i++) {
        uint64_t ticket;
        char text[64];
        snprintf(text, sizeof text, "text of %d", i);
        if (fixture_put(t, i % 700, text, &ticket) != TABLE_OK)
            _exit(3);
        if (i % 3)
            continue;
        if (table_commit(t, ticket) != TABLE_OK)
            _exit(4);
        if (write(say, &i, sizeof i) != sizeof i)
            _exit(5);
    }
}

// Runs a worker, kills it after so many acknowledged commits and a moment; the last number it acknowledged.
static int run_and_kill(int from, const struct page_vfs_options *options, int commits)
{
    int ends[2], last = from - 1, i;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        worker(ends[1], from, options);
    }
    close(ends[1]);
    for (int n = 0; n < commits && read(ends[0], &i, sizeof i) == sizeof i; n++)
        last = i;
    for (long spin = random() % 60000; spin > 0; spin--)
        __asm__ volatile("");
    kill(child, SIGKILL);
    while (read(ends[0], &i, sizeof i) == sizeof i)
        last = i;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return last;
}

// Every slot shows the last acknowledged write or a later one; the count agrees.
static int check_after_kill(int last, const struct page_vfs_options *options)
{
    struct table *t;
    assert_int_equal(table_open(FIXTURE_PATH, fixture_key, options, &t), TABLE_OK);
    uint64_t there = 0;
    int newest = last;
    for (int slot = 0; slot < 700; slot++) {
        char text[64];
        int expected = last - ((last - slot) % 700 + 700) % 700, got = 0;
        for (int i = expected < 0 ? expected + 700 : expected; i <= last + 710 && got != 1; i += 700) {
            snprintf(text, sizeof text, "text of %d", i);
            got = fixture_get(t, slot, text);
            assert_int_not_equal(got, -1);
            if (got == 1 && i > newest)
                newest = i;
        }
        assert_true(got == 1 || expected < 0);
        there += got == 1;
    }
    assert_int_equal(table_stats(t).items, there);
    assert_int_equal(table_close(t), TABLE_OK);
    return newest;
}

static void test_kill_at_any_moment(void **state)
{
    (void)state;
    srandom(11);
    for (int mode = 0; mode < 2; mode++) {
        fixture_clean(NULL);
        assert_int_equal(table_create(FIXTURE_PATH, fixture_key, &modes[mode]), TABLE_OK);
        int next = 0;
        for (int kills = 0; kills < 30; kills++) {
            int last = run_and_kill(next, &modes[mode], 1 + (int)(random() % 60));
            next = check_after_kill(last, &modes[mode]) + 1;
        }
    }
}

// Gone again right after it recovered, without an orderly end.
static void test_recovery_again_and_again(void **state)
{
    (void)state;
    assert_int_equal(table_create(FIXTURE_PATH, fixture_key, &modes[0]), TABLE_OK);
    int last = run_and_kill(0, &modes[0], 40);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct table *t;
            _exit(table_open(FIXTURE_PATH, fixture_key, &modes[0], &t));
        }
        int status;
        waitpid(child, &status, 0);
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    check_after_kill(last, &modes[0]);
}

// Threads.

#define THREADS 4
#define EACH 400

struct thread {
    struct table *t;
    int number;
};

static void *thread_main(void *arg)
{
    struct thread *me = arg;
    for (int i = 0; i < EACH; i++) {
        uint64_t ticket;
        int n = me->number * EACH + i;
        if (fixture_put(me->t, n, "of a thread", &ticket) != TABLE_OK)
            return me; // failed
        if (fixture_get(me->t, n, "of a thread") != 1)
            return me; // failed
        if (i % 7 == 0 && table_commit(me->t, ticket) != TABLE_OK)
            return me; // failed
        if (i == EACH - 1 && table_commit(me->t, ticket) != TABLE_OK)
            return me; // failed
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct table *t = fixture_open(&modes[1]);
    pthread_t threads[THREADS];
    struct thread args[THREADS];
    for (int i = 0; i < THREADS; i++) {
        args[i] = (struct thread){t, i};
        assert_int_equal(pthread_create(&threads[i], NULL, thread_main, &args[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(table_stats(t).items, THREADS * EACH);
    assert_int_equal(table_close(t), TABLE_OK);
}

// Memory.

// One round with the n-th allocation failing. True when none failed.
static bool round_without_memory(long n)
{
    struct table *t = NULL;
    uint64_t ticket = 0;
    fixture_fail_after = n;
    if (table_open(FIXTURE_PATH, fixture_key, &modes[0], &t) == TABLE_OK) {
        bool ok = fixture_put(t, 7, "new", &ticket) == TABLE_OK && table_commit(t, ticket) == TABLE_OK;
        fixture_fail_after = -1;
        int got = fixture_get(t, 7, "new");
        assert_true(got == 1 || (!ok && fixture_get(t, 7, "old") == 1));
        fixture_put_commit(t, 7, "old");
        table_close(t);
    }
    bool none = fixture_fail_after > 0;
    fixture_fail_after = -1;
    return none;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    struct table *t = fixture_open(&modes[0]);
    fixture_put_commit(t, 7, "old");
    assert_int_equal(table_close(t), TABLE_OK);
    for (long n = 0; n < 400; n++) {
        round_without_memory(n);
        t = fixture_open(&modes[0]);
        assert_int_equal(fixture_get(t, 7, "old"), 1);
        assert_int_equal(table_stats(t).items, 1);
        assert_int_equal(table_close(t), TABLE_OK);
    }
}

static void test_what_is_released_is_wiped(void **state)
{
    (void)state;
    fixture_unwiped = 0;
    struct table *t = fixture_open(NULL);
    for (int i = 0; i < 100; i++)
        fixture_put_commit(t, i, "a plaintext that must not stay behind in memory");
    assert_int_equal(table_close(t), TABLE_OK);
    assert_int_equal(fixture_unwiped, 0);
}

#define CASE(f) cmocka_unit_test_setup(f, fixture_clean)

int main(void)
{
    fixture_memory();
    const struct CMUnitTest tests[] = {
        CASE(test_put_get_delete),
        CASE(test_counts_survive),
        CASE(test_large_items),
        CASE(test_one_commit_serves_all),
        CASE(test_failed_commit),
        CASE(test_damage_is_the_tables_own),
        CASE(test_kill_at_any_moment),
        CASE(test_recovery_again_and_again),
        CASE(test_threads),
        CASE(test_failing_allocations),
        CASE(test_what_is_released_is_wiped),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
