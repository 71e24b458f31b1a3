// What is on the disk tells nothing, and whatever is done to it is noticed: an error or the right data, never anything
// else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ddbd/page_internal.h"
#include "tests/unit/ddbd/table_fixture.h"

#define ITEMS 60
#define TEXT "a stored string that nobody may find, number %d, and then some more of it to fill the pages"

static const char *text_of(int n)
{
    static char text[200];
    snprintf(text, sizeof text, TEXT, n);
    return text;
}

static void fill(struct table *t, int from, int to)
{
    for (int i = from; i < to; i++)
        fixture_put_commit(t, i, text_of(i));
}

// A table's connection without the checkpoint of an orderly end, as kill -9 leaves it.
static void drop(struct table *t);

// How many of the items can be read right; -1: the table does not open, or some item could not be read. Wrong data
// fails.
static int readable(int items)
{
    struct table *t;
    enum table_result r = table_open(FIXTURE_PATH, fixture_key, NULL, &t);
    if (r != TABLE_OK) {
        assert_int_equal(r, TABLE_DAMAGED);
        return -1;
    }
    int right = 0;
    bool error = false;
    for (int i = 0; i < items; i++) {
        int got = fixture_get(t, i, text_of(i));
        assert_int_not_equal(got, -2);
        error |= got == -1;
        right += got == 1;
    }
    if (!error)
        assert_int_equal(table_stats(t).items, right);
    drop(t);
    return error ? -1 : right;
}

static void expect_absent(struct span file, const void *bytes, size_t n)
{
    assert_null(memmem(file.p, file.n, bytes, n));
}

static void expect_nothing_readable(const char *path)
{
    struct buf file = fixture_read(path);
    struct span s = buf_span(&file);
    assert_true(s.n > 4096);
    static const char *const words[] = {"stored string", "nobody",       "key-0000", "data-name", "partition-name",
                                        "SQLite format", "CREATE TABLE", "item",     "counts",    "WITHOUT ROWID"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        expect_absent(s, words[i], strlen(words[i]));
    expect_absent(s, fixture_key, 16);
    for (int i = 0; i < ITEMS; i++) {
        char key[32];
        struct span k = fixture_key_bytes(i, key);
        expect_absent(s, k.p, k.n);
    }
    buf_done(&file);
}

static void test_nothing_can_be_read_on_disk(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    fill(t, 0, ITEMS);
    expect_nothing_readable(FIXTURE_WAL);
    assert_false(fixture_exists("t.db-shm"));
    assert_false(fixture_exists("t.db-journal"));
    assert_int_equal(table_close(t), TABLE_OK);
    assert_false(fixture_exists(FIXTURE_WAL));
    expect_nothing_readable(FIXTURE_PATH);
    assert_int_equal(readable(ITEMS), ITEMS);
}

// Each write of the same page has its own nonce: nothing repeats from one copy to the next.
static void test_same_content_never_looks_the_same(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    for (int i = 0; i < 4; i++)
        fixture_put_commit(t, 1, "same");
    struct buf wal = fixture_read(FIXTURE_WAL);
    size_t frame = PAGE_FRAME_HEADER + 4096, frames = (wal.len - PAGE_WAL_HEADER) / frame;
    assert_true(frames >= 4);
    for (size_t i = 0; i < frames; i++) {
        const char *page = wal.data + PAGE_WAL_HEADER + i * frame + PAGE_FRAME_HEADER;
        for (size_t k = 0; k < 4096 - 16; k += 16)
            assert_null(memmem(page + k + 1, (size_t)(wal.data + wal.len - page) - k - 1, page + k, 16));
    }
    buf_done(&wal);
    drop(t);
}

static void closed_table(void)
{
    struct table *t = fixture_open(NULL);
    fill(t, 0, ITEMS);
    assert_int_equal(table_close(t), TABLE_OK);
}

static void test_every_changed_byte_of_the_file_is_an_error(void **state)
{
    (void)state;
    closed_table();
    struct buf file = fixture_read(FIXTURE_PATH);
    for (size_t at = 0; at < file.len; at += at < 700 ? 1 : 61) {
        file.data[at] ^= (char)(1 << at % 8);
        fixture_write(FIXTURE_PATH, buf_span(&file));
        assert_int_equal(readable(ITEMS), -1);
        file.data[at] ^= (char)(1 << at % 8);
    }
    fixture_write(FIXTURE_PATH, buf_span(&file));
    assert_int_equal(readable(ITEMS), ITEMS);
    buf_done(&file);
}

static void test_a_shorter_file_is_an_error(void **state)
{
    (void)state;
    closed_table();
    struct buf file = fixture_read(FIXTURE_PATH);
    for (size_t n = 0; n < file.len; n += 1021) {
        fixture_write(FIXTURE_PATH, (struct span){file.data, n});
        assert_int_equal(readable(ITEMS), -1);
    }
    buf_done(&file);
}

static void test_pages_have_their_place_and_their_file(void **state)
{
    (void)state;
    closed_table();
    struct buf mine = fixture_read(FIXTURE_PATH), changed = fixture_read(FIXTURE_PATH);
    size_t pages = (mine.len - PAGE_BLOCK) / 4096;
    assert_true(pages >= 5);
    memcpy(changed.data + PAGE_BLOCK + 3 * 4096, mine.data + PAGE_BLOCK + 4 * 4096, 4096);
    memcpy(changed.data + PAGE_BLOCK + 4 * 4096, mine.data + PAGE_BLOCK + 3 * 4096, 4096);
    fixture_write(FIXTURE_PATH, buf_span(&changed));
    assert_int_equal(readable(ITEMS), -1);
    fixture_clean(NULL);
    // The same key, the same content, another file.
    closed_table();
    struct buf other = fixture_read(FIXTURE_PATH);
    for (size_t page = 0; page < pages; page++) {
        memcpy(changed.data, mine.data, mine.len);
        memcpy(changed.data + PAGE_BLOCK + page * 4096, other.data + PAGE_BLOCK + page * 4096, 4096);
        fixture_write(FIXTURE_PATH, buf_span(&changed));
        assert_int_equal(readable(ITEMS), -1);
    }
    memcpy(changed.data, mine.data, mine.len);
    memcpy(changed.data, other.data, PAGE_BLOCK);
    fixture_write(FIXTURE_PATH, buf_span(&changed));
    assert_int_equal(readable(ITEMS), -1);
    buf_done(&mine);
    buf_done(&other);
    buf_done(&changed);
}

static void test_wrong_key(void **state)
{
    (void)state;
    closed_table();
    unsigned char wrong[TABLE_KEY_SIZE];
    memcpy(wrong, fixture_key, sizeof wrong);
    wrong[31] ^= 1;
    struct table *t;
    assert_int_equal(table_open(FIXTURE_PATH, wrong, NULL, &t), TABLE_DAMAGED);
    assert_int_equal(table_open("none.db", fixture_key, NULL, &t), TABLE_NO_FILE);
    assert_int_equal(table_create(FIXTURE_PATH, fixture_key, NULL), TABLE_NO_FILE);
    assert_int_equal(readable(ITEMS), ITEMS);
}

// White box: the struct of table.c begins with its mutex; this test only needs the connection to go without a
// checkpoint.
struct table_head {
    pthread_mutex_t mutex;
    struct page_vfs *vfs;
    sqlite3 *db;
};

static struct page_vfs *vfs_of(struct table *t)
{
    return ((struct table_head *)(void *)t)->vfs;
}

static void drop(struct table *t)
{
    struct table_head *h = (struct table_head *)(void *)t;
    for (sqlite3_stmt *s; (s = sqlite3_next_stmt(h->db, NULL));)
        sqlite3_finalize(s);
    page_vfs_abandon(h->vfs, h->db);
    pthread_mutex_destroy(&h->mutex);
    free(t);
}

// Main file and log as they are after kill -9, to be put back for each attempt.
struct crashed {
    struct buf db, wal;
};

static struct crashed crash(const struct page_vfs_options *options)
{
    struct table *t = fixture_open(options);
    fill(t, 0, 8);
    drop(t);
    return (struct crashed){fixture_read(FIXTURE_PATH), fixture_read(FIXTURE_WAL)};
}

static void put_back(const struct crashed *c)
{
    fixture_write(FIXTURE_PATH, buf_span(&c->db));
    fixture_write(FIXTURE_WAL, buf_span(&c->wal));
}

static void crashed_done(struct crashed *c)
{
    buf_done(&c->db);
    buf_done(&c->wal);
}

static const struct page_vfs_options modes[] = {{.sync = PAGE_VFS_SYNC_COMMIT}, {.sync = PAGE_VFS_SYNC_CHECKPOINT}};

static void test_every_changed_byte_of_a_committed_log_is_an_error(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        struct crashed c = crash(&modes[mode]);
        assert_int_equal(readable(8), 8);
        for (size_t at = 0; at < c.wal.len; at += at < 200 ? 1 : 47) {
            c.wal.data[at] ^= (char)(1 << at % 8);
            put_back(&c);
            assert_int_equal(readable(8), -1);
            c.wal.data[at] ^= (char)(1 << at % 8);
        }
        put_back(&c);
        assert_int_equal(readable(8), 8);
        crashed_done(&c);
        fixture_clean(NULL);
    }
}

static void test_a_log_that_was_cut_removed_or_exchanged_is_an_error(void **state)
{
    (void)state;
    struct crashed c = crash(NULL);
    size_t frame = PAGE_FRAME_HEADER + 4096;
    for (size_t n = 0; n < c.wal.len; n += n < PAGE_WAL_HEADER ? PAGE_WAL_HEADER : frame / 2) {
        put_back(&c);
        fixture_write(FIXTURE_WAL, (struct span){c.wal.data, n});
        assert_int_equal(readable(8), -1);
    }
    put_back(&c);
    unlink(FIXTURE_WAL);
    assert_int_equal(readable(8), -1);
    // Two frames change places.
    char *a = c.wal.data + PAGE_WAL_HEADER, *b = a + frame;
    char *scratch = malloc(frame);
    memcpy(scratch, a, frame);
    memcpy(a, b, frame);
    memcpy(b, scratch, frame);
    free(scratch);
    put_back(&c);
    assert_int_equal(readable(8), -1);
    crashed_done(&c);
}

static void test_a_torn_tail_costs_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        struct crashed c = crash(&modes[mode]);
        size_t frame = PAGE_FRAME_HEADER + 4096, whole = c.wal.len;
        for (size_t extra = 1; extra <= 2 * frame; extra += 1013) {
            c.wal.len = whole;
            // Looks like the frames before it, but is none.
            char *more = buf_reserve(&c.wal, extra);
            assert_non_null(more);
            memcpy(more, c.wal.data + PAGE_WAL_HEADER, extra);
            buf_commit(&c.wal, extra);
            put_back(&c);
            assert_int_equal(readable(8), 8);
        }
        crashed_done(&c);
        fixture_clean(NULL);
    }
}

// Between the end of a checkpoint and the first frame of the next log, the old log is still there. Replaying a part of
// it would bring back old pages.
static void test_a_finished_log_is_never_replayed(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    fixture_put_commit(t, 0, "old");
    fixture_put_commit(t, 0, text_of(0));
    struct buf old = fixture_read(FIXTURE_WAL);
    assert_int_equal(table_close(t), TABLE_OK);
    for (size_t n = 0; n <= old.len; n += 1000) {
        fixture_write(FIXTURE_WAL, (struct span){old.data, n});
        assert_int_equal(readable(1), 1);
    }
    t = fixture_open(NULL);
    fixture_put_commit(t, 1, text_of(1));
    drop(t);
    fixture_write(FIXTURE_WAL, buf_span(&old));
    assert_int_equal(readable(2), -1);
    buf_done(&old);
}

// After a loss of power the log may lack what was not synced: only synced frames bind then.
static void test_another_start_of_the_machine(void **state)
{
    (void)state;
    size_t frame = PAGE_FRAME_HEADER + 4096;
    for (int mode = 0; mode < 2; mode++) {
        struct table *t = fixture_open(&modes[mode]);
        vfs_of(t)->boot[0] ^= 1;
        fill(t, 0, 8);
        drop(t);
        struct buf wal = fixture_read(FIXTURE_WAL);
        assert_int_equal(readable(8), 8);
        fixture_write(FIXTURE_WAL, (struct span){wal.data, wal.len - frame});
        int got = readable(8);
        if (modes[mode].sync == PAGE_VFS_SYNC_COMMIT)
            assert_int_equal(got, -1);
        else
            assert_int_equal(got, 7);
        buf_done(&wal);
        fixture_clean(NULL);
    }
}

static bool log_has(const struct buf *wal, uint32_t page)
{
    for (size_t at = PAGE_WAL_HEADER; at < wal->len; at += PAGE_FRAME_HEADER + 4096) {
        const unsigned char *h = (const unsigned char *)wal->data + at;
        if (((uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 | (uint32_t)h[2] << 8 | h[3]) == page)
            return true;
    }
    return false;
}

// A checkpoint that was cut short leaves half-written pages in the main file; the log has them whole. Page 1 is
// special: SQLite looks at it before it reads the log.
static void test_a_torn_checkpoint_is_healed_by_the_log(void **state)
{
    (void)state;
    struct table *t = fixture_open(NULL);
    fill(t, 0, ITEMS);
    drop(t);
    struct crashed c = {fixture_read(FIXTURE_PATH), fixture_read(FIXTURE_WAL)};
    assert_true(log_has(&c.wal, 1));
    for (uint32_t page = 1; PAGE_BLOCK + page * 4096 <= c.db.len; page++) {
        char whole[2048], *half = c.db.data + PAGE_BLOCK + (page - 1) * 4096 + 2048;
        memcpy(whole, half, sizeof whole);
        memset(half, 0x55, sizeof whole);
        put_back(&c);
        assert_int_equal(readable(ITEMS), log_has(&c.wal, page) ? ITEMS : -1);
        memcpy(half, whole, sizeof whole);
    }
    crashed_done(&c);
}

static void test_refuses_other_files(void **state)
{
    (void)state;
    closed_table();
    struct page_vfs *v;
    sqlite3 *db;
    assert_int_equal(page_vfs_open(FIXTURE_PATH, fixture_key, NULL, &v, &db), SQLITE_OK);
    // A rollback journal, and a database attached through the same VFS.
    sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    sqlite3_exec(db, "INSERT INTO item VALUES ('plain text key', 'plain text item')", NULL, NULL, NULL);
    assert_int_not_equal(sqlite3_exec(db, "ATTACH 'other.db' AS other", NULL, NULL, NULL), SQLITE_OK);
    assert_false(fixture_exists("t.db-journal"));
    assert_false(fixture_exists("other.db"));
    page_vfs_abandon(v, db);
}

// A table is made whole or not at all; what an attempt left behind does not disturb the next.
static void test_create_leaves_nothing_half_done(void **state)
{
    (void)state;
    fixture_write("t.db.new", SPAN("rubbish of an earlier attempt"));
    fixture_write("t.db.new-wal", SPAN("rubbish"));
    assert_int_equal(table_create(FIXTURE_PATH, fixture_key, NULL), TABLE_OK);
    assert_false(fixture_exists("t.db.new"));
    assert_false(fixture_exists("t.db.new-wal"));
    assert_int_not_equal(page_vfs_create("u.db", fixture_key, "CREATE nonsense", NULL), SQLITE_OK);
    assert_false(fixture_exists("u.db"));
    assert_false(fixture_exists("u.db.new"));
    assert_int_equal(readable(0), 0);
    assert_true(table_remove(FIXTURE_PATH));
    assert_false(fixture_exists(FIXTURE_PATH));
}

static void test_page_sizes(void **state)
{
    (void)state;
    static const int sizes[] = {1024, 8192, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct table *t = fixture_open(&(struct page_vfs_options){.page_size = sizes[i], .checkpoint_pages = 10});
        fill(t, 0, ITEMS);
        drop(t);
        assert_int_equal(readable(ITEMS), ITEMS);
        fixture_clean(NULL);
    }
}

#define CASE(f) cmocka_unit_test_setup(f, fixture_clean)

int main(void)
{
    fixture_memory();
    const struct CMUnitTest tests[] = {
        CASE(test_nothing_can_be_read_on_disk),
        CASE(test_same_content_never_looks_the_same),
        CASE(test_every_changed_byte_of_the_file_is_an_error),
        CASE(test_a_shorter_file_is_an_error),
        CASE(test_pages_have_their_place_and_their_file),
        CASE(test_wrong_key),
        CASE(test_every_changed_byte_of_a_committed_log_is_an_error),
        CASE(test_a_log_that_was_cut_removed_or_exchanged_is_an_error),
        CASE(test_a_torn_tail_costs_nothing_that_was_acknowledged),
        CASE(test_a_finished_log_is_never_replayed),
        CASE(test_another_start_of_the_machine),
        CASE(test_a_torn_checkpoint_is_healed_by_the_log),
        CASE(test_refuses_other_files),
        CASE(test_create_leaves_nothing_half_done),
        CASE(test_page_sizes),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
