// Every acknowledged event is delivered, and none twice, whatever kills the process and whenever; a trail folder that
// cannot be written loses nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/trail/deliver.h"
#include "common/trail/journal_internal.h"
#include "tests/unit/common/trail_harness.h"

#define NOON (INT64_C(1552305600) * NS_PER_S) // 2019-03-11T12:00:00Z
#define HOME "111122223333"
#define OTHER "444455556666"

static char why[512];

struct trail {
    struct scratch dir;
    struct rng *rng;
    struct journal *journal;
    struct journal_writer *writer, *second;
    struct deliver *deliver;
    struct progress *progress;
};

static void fail_why(const char *what)
{
    fail_msg("%s: %s", what, why);
}

static void trail_open(struct trail *t, enum trail_sync sync)
{
    t->rng = rng_new("a seed");
    t->journal = journal_open(t->dir.journal, sync, why, sizeof why);
    if (!t->journal)
        fail_why("journal_open");
    t->writer = journal_writer_new(t->journal, "w0", why, sizeof why);
    t->second = journal_writer_new(t->journal, "w1", why, sizeof why);
    t->deliver = deliver_new(t->journal, t->dir.path, t->dir.trail, t->rng, why, sizeof why);
    if (!t->writer || !t->second || !t->deliver)
        fail_why("trail_open");
}

static void trail_close(struct trail *t)
{
    journal_writer_free(t->writer);
    journal_writer_free(t->second);
    t->writer = t->second = NULL;
}

// The end of a daemon: everything sealed and delivered.
static void trail_end(struct trail *t)
{
    trail_close(t);
    if (!deliver_run(t->deliver, NOON, why, sizeof why))
        fail_why("deliver_run");
    deliver_free(t->deliver);
    journal_close(t->journal);
    rng_free(t->rng);
}

static void record(struct journal_writer *w, const char *account, int id)
{
    assert_true(journal_reserve(w));
    assert_true(append_event(w, account, "us-east-1", id, NOON + id));
    assert_true(journal_flush(w));
}

static int setup(void **state)
{
    struct trail *t = calloc(1, sizeof *t);
    scratch_new(&t->dir);
    t->progress = progress_new();
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct trail *t = *state;
    scratch_remove(&t->dir);
    progress_free(t->progress);
    free(t);
    return 0;
}

static void events_become_files(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_ALWAYS);
    assert_true(append_event(t->writer, HOME, "us-east-1", 1, NOON + 1));
    assert_true(append_event(t->writer, OTHER, "us-east-1", 2, NOON + 2));
    assert_true(append_event(t->writer, HOME, "eu-west-1", 3, NOON + 3));
    assert_true(journal_flush(t->writer));
    assert_true(append_event(t->second, HOME, "us-east-1", 0, NOON));
    assert_true(journal_flush(t->second));
    assert_true(append_event(t->writer, HOME, "us-east-1", 9, NOON)); // staged only: not yet an event
    assert_true(deliver_run(t->deliver, NOON, why, sizeof why));

    json_t *records = delivered(t->dir.trail);
    assert_int_equal(json_array_size(records), 4);
    assert_int_equal(files_in(t->dir.trail, ".json.gz"), 3);
    assert_int_equal(delivered_times(records, 9), 0);
    // The second writer's earlier event comes first.
    size_t i;
    json_t *r;
    int before = -1;
    json_array_foreach(records, i, r)
    {
        int id = (int)strtol(json_string_value(json_object_get(r, "eventID")), NULL, 10);
        if (id > 1)
            continue;
        assert_true(id > before);
        before = id;
    }
    json_decref(records);
    struct deliver_stats stats = deliver_stats(t->deliver);
    assert_int_equal(stats.files, 3);
    assert_int_equal(stats.records, 4);
    assert_true(stats.last_ns == NOON);

    assert_true(deliver_run(t->deliver, NOON + 1, why, sizeof why)); // nothing new: nothing written
    assert_int_equal(files_in(t->dir.trail, ".json.gz"), 3);
    assert_true(journal_flush(t->writer));
    trail_end(t);
    assert_int_equal(files_in(t->dir.trail, ".json.gz"), 4);
    assert_int_equal(files_in(t->dir.journal, ".log"), 0);
}

static void names_are_never_reused(void **state)
{
    struct trail *t = *state;
    for (int i = 0; i < 3; i++) { // the same seed and the same minute each time
        trail_open(t, TRAIL_SYNC_NEVER);
        record(t->writer, HOME, i);
        trail_end(t);
    }
    json_t *records = delivered(t->dir.trail);
    assert_int_equal(json_array_size(records), 3);
    json_decref(records);
}

static void many_events_make_several_files(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_NEVER);
    size_t n = 200 * 1024;
    char *json = malloc(n + 1);
    memset(json, 'x', n);
    json[n] = '\0';
    int head = snprintf(json, n,
                        "{\"recipientAccountId\":\"%s\",\"awsRegion\":\"us-east-1\",\"eventID\":\"0\",\"x\":\"", HOME);
    json[head] = 'x';
    memcpy(json + n - 2, "\"}", 3);
    struct journal_entry e = {.account = HOME, .region = "us-east-1", .json = {json, n}};
    for (int i = 0; i < 250; i++) {
        assert_true(journal_reserve(t->writer));
        assert_true(journal_append(t->writer, &e));
        assert_true(journal_flush(t->writer));
    }
    assert_true(files_in(t->dir.journal, ".log") > 2);
    trail_end(t);
    json_t *records = delivered(t->dir.trail);
    assert_int_equal(json_array_size(records), 250);
    assert_true(files_in(t->dir.trail, ".json.gz") >= 4);
    assert_int_equal(files_in(t->dir.journal, ".log"), 0);
    json_decref(records);
    free(json);
}

static void an_unwritable_trail_loses_nothing(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_ALWAYS);
    assert_true(file_replace(t->dir.trail, SPAN("a file where the folder should be"), 0600));
    record(t->writer, HOME, 1);
    assert_false(deliver_run(t->deliver, NOON, why, sizeof why));
    assert_non_null(strstr(why, t->dir.trail));
    record(t->writer, HOME, 2);
    assert_false(deliver_run(t->deliver, NOON, why, sizeof why));
    assert_int_equal(unlink(t->dir.trail), 0);
    assert_true(deliver_run(t->deliver, NOON, why, sizeof why));
    json_t *records = delivered(t->dir.trail);
    assert_int_equal(delivered_times(records, 1), 1);
    assert_int_equal(delivered_times(records, 2), 1);
    json_decref(records);
    trail_end(t);
}

// ---- what must be kept before the journal forgets ----

struct keeper {
    struct trail *t;
    bool refuse;
    int asked, delivered_then;
};

static bool keep(void *arg, char *reason, size_t reason_size)
{
    struct keeper *k = arg;
    json_t *records = delivered(k->t->dir.trail);
    k->asked++;
    k->delivered_then = (int)json_array_size(records);
    json_decref(records);
    if (k->refuse)
        snprintf(reason, reason_size, "not now");
    return !k->refuse;
}

static void count_entry(void *arg, const struct journal_entry *e)
{
    int *n = arg;
    assert_string_equal(e->account, HOME);
    assert_true(journal_entry_run(e) == 1);
    ++*n;
}

static int waiting(struct trail *t)
{
    int n = 0;
    if (!deliver_waiting(t->deliver, count_entry, &n, why, sizeof why))
        fail_why("deliver_waiting");
    return n;
}

static void nothing_is_forgotten_before_it_is_kept(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_ALWAYS);
    struct keeper k = {.t = t, .refuse = true};
    deliver_on_finish(t->deliver, keep, &k);
    assert_true(journal_run(t->journal) == 1);
    record(t->writer, HOME, 1);
    record(t->second, HOME, 2);
    assert_int_equal(waiting(t), 2);
    assert_false(deliver_run(t->deliver, NOON, why, sizeof why));
    assert_string_equal(why, "not now");
    assert_int_equal(k.asked, 1);
    assert_int_equal(k.delivered_then, 2); // their files are written
    assert_int_equal(waiting(t), 2);       // and still they wait
    record(t->writer, HOME, 3);
    k.refuse = false;
    assert_true(deliver_run(t->deliver, NOON, why, sizeof why));
    assert_int_equal(k.asked, 3); // the delivery under way, and what came since
    assert_int_equal(waiting(t), 0);
    assert_true(deliver_run(t->deliver, NOON, why, sizeof why));
    assert_int_equal(k.asked, 3);
    json_t *records = delivered(t->dir.trail);
    for (int id = 1; id <= 3; id++)
        assert_int_equal(delivered_times(records, id), 1);
    json_decref(records);
    trail_end(t);
}

// A run covers what there is when it begins: what comes in meanwhile, here while it is kept, waits for the next.
static bool keep_and_record(void *arg, char *reason, size_t reason_size)
{
    struct keeper *k = arg;
    (void)reason, (void)reason_size;
    record(k->t->writer, HOME, 100 + ++k->asked);
    return k->asked < 50;
}

static void a_run_comes_to_an_end(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_NEVER);
    struct keeper k = {.t = t};
    deliver_on_finish(t->deliver, keep_and_record, &k);
    record(t->writer, HOME, 1);
    assert_true(deliver_run(t->deliver, NOON, why, sizeof why));
    assert_int_equal(k.asked, 1);
    assert_int_equal(waiting(t), 1);
    deliver_on_finish(t->deliver, NULL, NULL);
    trail_end(t);
}

static void a_full_disk_only_delays(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_ALWAYS);
    record(t->writer, HOME, 1);
    for (int skip = 0; skip < 12; skip++) {
        fail_calls(skip % 2 ? FAULT_WRITE : FAULT_RENAME, skip / 2, 1, ENOSPC);
        deliver_run(t->deliver, NOON, why, sizeof why);
    }
    fail_calls(FAULT_NONE, 0, 0, 0);
    trail_end(t);
    json_t *records = delivered(t->dir.trail);
    assert_int_equal(delivered_times(records, 1), 1);
    json_decref(records);
}

static void damage_stops_the_delivery_loudly(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_ALWAYS);
    record(t->writer, HOME, 1);
    char path[PATH_MAX];
    assert_true(journal_segment_path(t->journal, "w0", t->writer->segment->number, path));
    FILE *f = fopen(path, "r+");
    fseek(f, 200, SEEK_SET);
    fputc('#', f);
    fclose(f);
    assert_false(deliver_run(t->deliver, NOON, why, sizeof why));
    assert_non_null(strstr(why, "damaged record at offset 64"));
    assert_non_null(strstr(why, path));
    assert_int_equal(files_in(t->dir.trail, ".json.gz"), 0);
    trail_close(t);
    deliver_free(t->deliver);
    journal_close(t->journal);
    rng_free(t->rng);
}

static void a_pending_delivery_needs_its_journal(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_ALWAYS);
    assert_true(file_replace(t->dir.trail, SPAN("in the way"), 0600));
    record(t->writer, HOME, 1);
    assert_false(deliver_run(t->deliver, NOON, why, sizeof why));
    trail_close(t);
    deliver_free(t->deliver);
    journal_close(t->journal);
    char moved[128];
    snprintf(moved, sizeof moved, "%s.away", t->dir.journal);
    assert_int_equal(rename(t->dir.journal, moved), 0);
    t->journal = journal_open(t->dir.journal, TRAIL_SYNC_ALWAYS, why, sizeof why);
    assert_null(deliver_new(t->journal, t->dir.path, t->dir.trail, t->rng, why, sizeof why));
    assert_non_null(strstr(why, "delivered.json"));
    journal_close(t->journal);
    rng_free(t->rng);
}

struct producer {
    pthread_t thread;
    struct journal_writer *writer;
    int first;
    bool failed;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (int i = 0; i < 300; i++) {
        p->failed |= !journal_reserve(p->writer) ||
                     !append_event(p->writer, i % 2 ? HOME : OTHER, "us-east-1", p->first + i, NOON) ||
                     (i % 3 == 2 && !journal_flush(p->writer));
    }
    return NULL;
}

static void writers_and_deliveries_at_once(void **state)
{
    struct trail *t = *state;
    trail_open(t, TRAIL_SYNC_INTERVAL);
    t->journal->segment_size = 4000;
    struct producer p[2] = {{.writer = t->writer}, {.writer = t->second, .first = 300}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
    while (deliver_stats(t->deliver).records < 300) {
        if (!deliver_run(t->deliver, NOON, why, sizeof why))
            fail_why("deliver_run");
        assert_true(journal_sync_due(t->journal));
        sched_yield();
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(p[i].thread, NULL);
        assert_false(p[i].failed);
    }
    trail_end(t);
    json_t *records = delivered(t->dir.trail);
    assert_int_equal(json_array_size(records), 600);
    for (int id = 0; id < 600; id += 7)
        assert_int_equal(delivered_times(records, id), 1);
    json_decref(records);
}

// Two writers, small segments, deliveries in between, a restart, another delivery. `acknowledged` counts what was
// promised; an event's id is its number.
static void live(void *arg)
{
    struct trail *t = arg;
    int id = 0;
    for (int run = 0; run < 2; run++) {
        trail_open(t, TRAIL_SYNC_ALWAYS);
        t->journal->segment_size = 700;
        for (int i = 0; i < 5; i++) {
            record(i % 2 ? t->second : t->writer, i % 3 ? HOME : OTHER, id);
            t->progress->acknowledged = ++id;
            if (i == 2 && !deliver_run(t->deliver, NOON, why, sizeof why))
                fail_why("deliver_run");
        }
        trail_end(t);
    }
}

static void recover(void *arg)
{
    struct trail *t = arg;
    trail_open(t, TRAIL_SYNC_ALWAYS);
    trail_end(t);
}

static void check_exactly_once(struct trail *t, int point)
{
    json_t *records = delivered(t->dir.trail);
    int sum = 0;
    for (int id = 0; id < 12; id++) {
        int times = delivered_times(records, id);
        sum += times;
        // One that was not acknowledged may have been written before the kill: once, or not at all.
        if (times > 1 || (times == 0 && id < t->progress->acknowledged))
            fail_msg("killed at point %d: event %d of %d delivered %d times", point, id, t->progress->acknowledged,
                     times);
    }
    assert_int_equal(sum, json_array_size(records));
    assert_int_equal(files_in(t->dir.journal, ".log"), 0);
    assert_int_equal(files_in(t->dir.path, ".tmp"), 0);
    json_decref(records);
}

static void kill_anywhere(void **state)
{
    struct trail *t = *state;
    bool killed = true;
    int point = 1;
    for (; killed; point++) {
        t->progress->acknowledged = 0;
        killed = killed_at(point, live, t);
        killed_at(1 + point * 7 % 29, recover, t); // and once more while it recovers
        killed_at(0, recover, t);
        check_exactly_once(t, point);
        scratch_remove(&t->dir);
        scratch_new(&t->dir);
    }
    assert_true(point > 150);
    print_message("%d points\n", point - 1);
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_become_files, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_never_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(many_events_make_several_files, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unwritable_trail_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_forgotten_before_it_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_comes_to_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_only_delays, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_stops_the_delivery_loudly, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pending_delivery_needs_its_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(writers_and_deliveries_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(kill_anywhere, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
