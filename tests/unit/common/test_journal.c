// The journal keeps what it promised: torn tails are cut, damage is loud, a failed flush leaves nothing behind, a full
// disk refuses before anything is lost.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/trail/journal_internal.h"
#include "tests/unit/common/trail_harness.h"

#define HOME "111122223333"

static struct scratch dir;
static char why[512];
static struct journal *journal;
static struct journal_writer *writer;

static int setup(void **state)
{
    (void)state;
    scratch_new(&dir);
    why[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fail_calls(FAULT_NONE, 0, 0, 0);
    scratch_remove(&dir);
    return 0;
}

static void start(enum trail_sync sync)
{
    journal = journal_open(dir.journal, sync, why, sizeof why);
    if (!journal)
        fail_msg("%s", why);
    writer = journal_writer_new(journal, "w0", why, sizeof why);
    assert_non_null(writer);
}

static void stop(void)
{
    journal_writer_free(writer);
    journal_close(journal);
}

// As after kill -9: the segment keeps its reserved space, nothing is sealed.
static void crash(void)
{
    writer->segment = NULL;
    journal_writer_free(writer);
    journal_close(journal);
}

static void put(int id)
{
    assert_true(journal_reserve(writer));
    assert_true(append_event(writer, HOME, "us-east-1", id, id));
    assert_true(journal_flush(writer));
}

// The ids that a consumer finds, as text.
static const char *contents(void)
{
    static char text[1024];
    struct journal_positions none = {0};
    struct journal_range *ranges;
    size_t n, len = 0;
    text[0] = '\0';
    assert_true(journal_ranges(journal, &none, &ranges, &n));
    for (size_t i = 0; i < n; i++) {
        struct journal_reader *r = journal_reader_open(journal, &ranges[i], why, sizeof why);
        struct journal_entry e;
        struct journal_read_at at;
        enum journal_read read;
        assert_non_null(r);
        while ((read = journal_reader_next(r, &e, &at, why, sizeof why)) == JOURNAL_READ_RECORD)
            len += (size_t)snprintf(text + len, sizeof text - len, "%d ", (int)e.time_ns);
        if (read == JOURNAL_READ_FAILED)
            len += (size_t)snprintf(text + len, sizeof text - len, "failed");
        journal_reader_close(r);
    }
    free(ranges);
    return text;
}

static const char *segment_path(void)
{
    static char path[PATH_MAX];
    const struct journal_segment *s = journal->segments;
    assert_true(journal_segment_path(journal, s->writer, s->number, path));
    return path;
}

static void change_byte(const char *path, long at, int xor)
{
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ xor, f);
    fclose(f);
}

// All but one.
static void remove_segments(const char *keep)
{
    char path[PATH_MAX];
    DIR *d = opendir(dir.journal);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir.journal, e->d_name);
        if (strstr(e->d_name, ".log") && !(keep && strcmp(path, keep) == 0))
            assert_int_equal(unlink(path), 0);
    }
    closedir(d);
}

static void flushed_events_survive(void **state)
{
    (void)state;
    for (enum trail_sync sync = TRAIL_SYNC_ALWAYS; sync <= TRAIL_SYNC_NEVER; sync++) {
        start(sync);
        put(1);
        assert_true(append_event(writer, HOME, "us-east-1", 2, 2));
        assert_true(append_event(writer, HOME, "us-east-1", 3, 3));
        assert_true(journal_staged(writer) > 0);
        assert_string_equal(contents(), "1 ");
        assert_true(journal_flush(writer));
        assert_true(append_event(writer, HOME, "us-east-1", 4, 4)); // never flushed
        assert_true(journal_sync_due(journal));
        crash();
        start(sync);
        assert_string_equal(contents(), "1 2 3 ");
        struct stat st;
        assert_int_equal(stat(segment_path(), &st), 0);
        assert_true(st.st_size < 4096); // the reserved space is given back
        stop();
        scratch_remove(&dir);
        scratch_new(&dir);
    }
}

static void entries_must_be_valid(void **state)
{
    (void)state;
    start(TRAIL_SYNC_NEVER);
    static const char *const accounts[] = {"", "11112222333", "11112222333x", "../../../etc"};
    for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++)
        assert_false(append_event(writer, accounts[i], "us-east-1", 1, 1));
    static const char *const regions[] = {"", "..", "US-EAST-1", "us/east", "us_east-1"};
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
        assert_false(append_event(writer, HOME, regions[i], 1, 1));
    char *large = calloc(1, JOURNAL_JSON_MAX + 1);
    memset(large, 'x', JOURNAL_JSON_MAX + 1);
    struct journal_entry e = {.account = HOME, .region = "us-east-1", .json = {large, JOURNAL_JSON_MAX + 1}};
    assert_false(journal_append(writer, &e));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(journal_staged(writer), 0);
    e.json.n--;
    assert_true(journal_append(writer, &e));
    assert_true(journal_flush(writer));
    assert_string_equal(contents(), "0 ");
    free(large);
    stop();
    assert_null(journal_writer_new(journal, "../x", why, sizeof why));
}

// A write cut off after any of its bytes: the records before it stay, and the journal opens.
static void a_torn_tail_is_cut(void **state)
{
    (void)state;
    struct stat st;
    start(TRAIL_SYNC_ALWAYS);
    put(1);
    uint64_t from = writer->at;
    put(2);
    uint64_t to = writer->at;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", segment_path());
    crash();
    struct buf whole;
    buf_init(&whole, 4 << 20);
    assert_true(file_read(path, &whole));
    for (uint64_t cut = from; cut < to; cut++) {
        for (int reserved = 0; reserved < 2; reserved++) { // with and without zeros behind
            struct buf torn;
            buf_init(&torn, 4 << 20);
            buf_append(&torn, whole.data, cut);
            for (int i = 0; reserved && i < 5000; i++)
                buf_append_char(&torn, '\0');
            assert_true(file_replace(path, buf_span(&torn), 0600));
            buf_done(&torn);
            start(TRAIL_SYNC_ALWAYS);
            assert_string_equal(contents(), "1 ");
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_size, from);
            put(3); // goes into a new segment
            assert_string_equal(contents(), "1 3 ");
            stop();
            remove_segments(path);
        }
    }
    buf_done(&whole);
}

// A power cut may lose any page of a write that was not synced, also an earlier one than the last.
static void a_lost_page_of_the_last_write_is_cut(void **state)
{
    (void)state;
    char json[3000];
    memset(json, 'x', sizeof json);
    struct journal_entry e = {.account = HOME, .region = "us-east-1", .json = {json, sizeof json}};
    start(TRAIL_SYNC_ALWAYS);
    put(1);
    uint64_t from = writer->at;
    for (int i = 2; i < 6; i++) {
        e.time_ns = i;
        assert_true(journal_append(writer, &e));
    }
    assert_true(journal_flush(writer));
    char path[PATH_MAX], zeros[4096] = {0};
    snprintf(path, sizeof path, "%s", segment_path());
    crash();
    FILE *f = fopen(path, "r+");
    fseek(f, 4096, SEEK_SET);
    fwrite(zeros, sizeof zeros, 1, f);
    fclose(f);
    start(TRAIL_SYNC_ALWAYS);
    assert_string_equal(contents(), "1 2 "); // the first was whole, though its turn was not
    stop();
    (void)from;
}

static void expect_damage(const char *path, const char *offset)
{
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    journal = journal_open(dir.journal, TRAIL_SYNC_ALWAYS, why, sizeof why);
    if (journal)
        fail_msg("damage went unnoticed");
    assert_non_null(strstr(why, path));
    assert_non_null(strstr(why, offset));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

// Any flipped bit, in the middle or in the last record, is an error that names the place; the file is not touched.
static void a_flipped_bit_is_loud(void **state)
{
    (void)state;
    start(TRAIL_SYNC_ALWAYS);
    put(1);
    uint64_t second = writer->at;
    put(2);
    uint64_t third = writer->at;
    put(3);
    uint64_t end = writer->at;
    char path[PATH_MAX], offset[32];
    snprintf(path, sizeof path, "%s", segment_path());
    crash();
    for (uint64_t at = JOURNAL_HEAD_SIZE; at < end; at++) {
        uint64_t record = at < second ? JOURNAL_HEAD_SIZE : at < third ? second : third;
        snprintf(offset, sizeof offset, "offset %d;", (int)record);
        change_byte(path, (long)at, 0x10);
        expect_damage(path, offset);
        change_byte(path, (long)at, 0x10);
    }
    change_byte(path, 3, 1); // the head
    expect_damage(path, "offset 0;");
    change_byte(path, 3, 1);
    start(TRAIL_SYNC_ALWAYS);
    assert_string_equal(contents(), "1 2 3 ");
    stop();
}

// Zeros where a later record says that the bytes were on the disk: damage, not a torn write.
static void a_hole_in_what_was_durable_is_loud(void **state)
{
    (void)state;
    start(TRAIL_SYNC_ALWAYS);
    put(1);
    uint64_t second = writer->at;
    put(2);
    uint64_t third = writer->at;
    put(3);
    char path[PATH_MAX], offset[32];
    snprintf(path, sizeof path, "%s", segment_path());
    crash();
    FILE *f = fopen(path, "r+");
    fseek(f, (long)second, SEEK_SET);
    for (uint64_t i = second; i < third; i++)
        fputc(0, f);
    fclose(f);
    snprintf(offset, sizeof offset, "offset %d;", (int)second);
    expect_damage(path, offset);
}

// Only the newest segment of a writer may have a tail.
static void a_finished_segment_must_be_whole(void **state)
{
    (void)state;
    start(TRAIL_SYNC_ALWAYS);
    put(1);
    put(2);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", segment_path());
    stop();
    start(TRAIL_SYNC_ALWAYS);
    put(3);
    stop();
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 5), 0);
    journal = journal_open(dir.journal, TRAIL_SYNC_ALWAYS, why, sizeof why);
    assert_null(journal);
    assert_non_null(strstr(why, path));
}

static void an_unfinished_beginning_is_removed(void **state)
{
    (void)state;
    start(TRAIL_SYNC_ALWAYS);
    put(1);
    char path[PATH_MAX];
    assert_true(journal_segment_path(journal, "w0", writer->segment->number + 1, path));
    stop();
    assert_true(file_replace(path, (struct span){"KMSD\0\0\0\0\0\0\0", 11}, 0600));
    start(TRAIL_SYNC_ALWAYS);
    assert_int_equal(access(path, F_OK), -1);
    assert_string_equal(contents(), "1 ");
    stop();
}

static void numbers_are_never_used_twice(void **state)
{
    (void)state;
    uint64_t last = 0, last_sequence = 0;
    for (int i = 0; i < 3; i++) {
        start(TRAIL_SYNC_NEVER);
        put(i);
        assert_true(writer->segment->number > last);
        assert_true(writer->sequence > last_sequence);
        last = writer->segment->number;
        last_sequence = writer->sequence;
        stop();
        remove_segments(NULL); // delivered and forgotten
    }
}

// A failed flush: no event, nothing staged, and the writer goes on where it was.
static void a_failed_flush_leaves_nothing(void **state)
{
    (void)state;
    static const enum fault_kind kinds[] = {FAULT_WRITE, FAULT_SYNC};
    for (size_t i = 0; i < 2; i++) {
        start(TRAIL_SYNC_ALWAYS);
        put(1);
        assert_true(append_event(writer, HOME, "us-east-1", 2, 2));
        fail_calls(kinds[i], 0, 1, ENOSPC);
        assert_false(journal_flush(writer));
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(journal_staged(writer), 0);
        assert_string_equal(contents(), "1 ");
        crash(); // nor does a later start find it
        start(TRAIL_SYNC_ALWAYS);
        assert_string_equal(contents(), "1 ");
        put(3);
        assert_true(append_event(writer, HOME, "us-east-1", 4, 4));
        fail_calls(kinds[i], 0, 1, ENOSPC);
        assert_false(journal_flush(writer));
        put(5);
        assert_string_equal(contents(), "1 3 5 ");
        stop();
        scratch_remove(&dir);
        scratch_new(&dir);
    }
}

// Even the way back fails: the calls are refused until it works.
static void a_failed_rollback_refuses(void **state)
{
    (void)state;
    start(TRAIL_SYNC_ALWAYS);
    put(1);
    assert_true(append_event(writer, HOME, "us-east-1", 2, 2));
    fail_calls(FAULT_SYNC, 0, 1, EIO);
    fail_calls(FAULT_WRITE, 0, 1, EIO);
    assert_false(journal_flush(writer));
    writer->must_roll_back = true; // as if its truncation had failed
    fail_calls(FAULT_TRUNCATE, 0, 1, EIO);
    assert_false(journal_reserve(writer));
    assert_true(journal_reserve(writer));
    put(3);
    assert_string_equal(contents(), "1 3 ");
    stop();
}

static void a_full_disk_refuses_the_call(void **state)
{
    (void)state;
    start(TRAIL_SYNC_ALWAYS);
    fail_calls(FAULT_ALLOCATE, 0, 1, ENOSPC);
    assert_false(journal_reserve(writer));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(files_in(dir.journal, ".log"), 0);
    assert_true(journal_reserve(writer));
    put(1);
    stop();
}

// The real thing: a limit on the size of files. What was promised stays; the rest is refused, not lost.
static void a_size_limit_refuses_the_call(void **state)
{
    (void)state;
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 3 << 20;
    start(TRAIL_SYNC_ALWAYS);
    setrlimit(RLIMIT_FSIZE, &small);
    char *json = malloc(200000);
    memset(json, 'x', 200000);
    struct journal_entry e = {.account = HOME, .region = "us-east-1", .json = {json, 200000}};
    int n = 0;
    while (journal_reserve(writer)) {
        e.time_ns = ++n;
        assert_true(journal_append(writer, &e));
        assert_true(journal_flush(writer));
    }
    assert_int_equal(errno, EFBIG);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_true(n >= 10 && n < 16);
    int found = 0;
    for (const char *p = contents(); (p = strchr(p, ' ')); p++)
        found++;
    assert_int_equal(found, n);
    assert_true(journal_reserve(writer));
    free(json);
    stop();
}

static void segments_rotate_and_are_forgotten(void **state)
{
    (void)state;
    start(TRAIL_SYNC_INTERVAL);
    journal->segment_size = 500;
    for (int i = 1; i < 8; i++)
        put(i);
    assert_string_equal(contents(), "1 2 3 4 5 6 7 ");
    int before = files_in(dir.journal, ".log");
    assert_true(before > 2);
    struct journal_positions done = {0};
    struct journal_position at = {.writer = "w0", .segment = writer->segment->number, .offset = JOURNAL_HEAD_SIZE};
    assert_true(journal_positions_set(&done, &at));
    journal_forget(journal, &done);
    assert_int_equal(files_in(dir.journal, ".log"), 1);
    at.segment++; // the one in use stays, done or not
    assert_true(journal_positions_set(&done, &at));
    journal_forget(journal, &done);
    assert_int_equal(files_in(dir.journal, ".log"), 1);
    journal_positions_done(&done);
    put(8);
    stop();
}

static enum journal_origin offer(struct journal_writer *w, uint64_t sequence)
{
    struct span origin = SPAN("there/w0");
    enum journal_origin answer = journal_origin_claim(w, origin, sequence);
    if (answer == JOURNAL_ORIGIN_NEW) {
        struct journal_entry e = {
            .account = HOME, .region = "us-east-1", .origin = origin, .sequence = sequence, .json = SPAN("{}")};
        assert_true(journal_append(w, &e));
    }
    return answer;
}

static void each_origin_event_once(void **state)
{
    (void)state;
    struct span origin = SPAN("there/w0");
    start(TRAIL_SYNC_ALWAYS);
    struct journal_writer *other = journal_writer_new(journal, "w1", why, sizeof why);
    assert_int_equal(offer(writer, 5), JOURNAL_ORIGIN_NEW);
    assert_int_equal(offer(writer, 5), JOURNAL_ORIGIN_SEEN);
    assert_int_equal(offer(other, 5), JOURNAL_ORIGIN_BUSY); // it might still be lost
    assert_int_equal(journal_origin_sequence(journal, origin), 0);
    fail_calls(FAULT_WRITE, 0, 1, EIO);
    assert_false(journal_flush(writer));
    assert_int_equal(offer(other, 5), JOURNAL_ORIGIN_NEW); // lost: whoever tries again
    assert_true(journal_flush(other));
    assert_int_equal(journal_origin_sequence(journal, origin), 5);
    assert_int_equal(offer(writer, 4), JOURNAL_ORIGIN_SEEN);
    assert_int_equal(offer(writer, 6), JOURNAL_ORIGIN_NEW);
    assert_true(journal_flush(writer));
    journal_writer_free(other);
    crash();
    start(TRAIL_SYNC_ALWAYS);
    assert_int_equal(journal_origin_sequence(journal, origin), 6);
    assert_true(journal_origin_restore(journal, origin, 3)); // older knowledge does not undo newer
    assert_int_equal(offer(writer, 6), JOURNAL_ORIGIN_SEEN);
    assert_int_equal(offer(writer, 7), JOURNAL_ORIGIN_NEW);
    assert_true(journal_flush(writer));
    stop();
}

static void a_foreign_identity_is_refused(void **state)
{
    (void)state;
    start(TRAIL_SYNC_ALWAYS);
    stop();
    char path[128];
    snprintf(path, sizeof path, "%s/journal.json", dir.journal);
    assert_true(file_replace(path, SPAN("{\"journal\":\"x\"}"), 0600));
    assert_null(journal_open(dir.journal, TRAIL_SYNC_ALWAYS, why, sizeof why));
    assert_non_null(strstr(why, path));
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(flushed_events_survive),
        TEST(entries_must_be_valid),
        TEST(a_torn_tail_is_cut),
        TEST(a_lost_page_of_the_last_write_is_cut),
        TEST(a_flipped_bit_is_loud),
        TEST(a_hole_in_what_was_durable_is_loud),
        TEST(a_finished_segment_must_be_whole),
        TEST(an_unfinished_beginning_is_removed),
        TEST(numbers_are_never_used_twice),
        TEST(a_failed_flush_leaves_nothing),
        TEST(a_failed_rollback_refuses),
        TEST(a_full_disk_refuses_the_call),
        TEST(a_size_limit_refuses_the_call),
        TEST(segments_rotate_and_are_forgotten),
        TEST(each_origin_event_once),
        TEST(a_foreign_identity_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
