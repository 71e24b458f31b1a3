// Events handed from one daemon's journal to the other's arrive, each once: whatever is killed, sent twice, or refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/trail/deliver.h"
#include "common/trail/journal_internal.h"
#include "common/trail/ship.h"
#include "tests/unit/common/trail_harness.h"

#define HOME "111122223333"

static char why[512];

// The sender (ddbd) and the receiver (kmsd), each with a journal of its own.
struct hand_over {
    struct scratch dir, far; // of the sender, of the receiver
    struct rng *rng;
    struct journal *near_journal, *far_journal;
    struct journal_writer *near_writer, *far_writer;
    struct ship *ship;
    struct deliver *deliver;
    struct buf body;
    struct progress *progress;
};

static void open_sender(struct hand_over *h)
{
    h->near_journal = journal_open(h->dir.journal, TRAIL_SYNC_ALWAYS, why, sizeof why);
    h->near_writer = journal_writer_new(h->near_journal, "w0", why, sizeof why);
    h->ship = ship_new(h->near_journal, h->dir.path, why, sizeof why);
    if (!h->ship)
        fail_msg("%s", why);
}

static void close_sender(struct hand_over *h)
{
    journal_writer_free(h->near_writer);
    ship_free(h->ship);
    journal_close(h->near_journal);
}

static void open_receiver(struct hand_over *h)
{
    h->rng = rng_new("a seed");
    h->far_journal = journal_open(h->far.journal, TRAIL_SYNC_ALWAYS, why, sizeof why);
    h->far_writer = journal_writer_new(h->far_journal, "w0", why, sizeof why);
    h->deliver = deliver_new(h->far_journal, h->far.path, h->far.trail, h->rng, why, sizeof why);
    if (!h->deliver)
        fail_msg("%s", why);
}

static void close_receiver(struct hand_over *h)
{
    journal_writer_free(h->far_writer);
    assert_true(deliver_run(h->deliver, 0, why, sizeof why));
    deliver_free(h->deliver);
    journal_close(h->far_journal);
    rng_free(h->rng);
}

static int setup(void **state)
{
    struct hand_over *h = calloc(1, sizeof *h);
    scratch_new(&h->dir);
    scratch_new(&h->far);
    buf_init(&h->body, 8 << 20);
    h->progress = progress_new();
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct hand_over *h = *state;
    fail_calls(FAULT_NONE, 0, 0, 0);
    scratch_remove(&h->dir);
    scratch_remove(&h->far);
    buf_done(&h->body);
    progress_free(h->progress);
    free(h);
    return 0;
}

static void record(struct hand_over *h, int id)
{
    assert_true(append_event(h->near_writer, HOME, "us-east-1", id, id));
    assert_true(journal_flush(h->near_writer));
}

static bool next(struct hand_over *h, size_t max_bytes)
{
    enum ship_next result = ship_next(h->ship, max_bytes, &h->body, why, sizeof why);
    if (result == SHIP_FAILED)
        fail_msg("%s", why);
    return result == SHIP_BATCH;
}

static size_t receive(struct hand_over *h)
{
    size_t accepted;
    if (ship_accept(h->far_writer, buf_span(&h->body), &accepted, why, sizeof why) != SHIP_ACCEPTED)
        fail_msg("%s", why);
    assert_true(journal_flush(h->far_writer));
    return accepted;
}

static void ship_all(struct hand_over *h, size_t max_bytes)
{
    while (next(h, max_bytes)) {
        receive(h);
        if (!ship_done(h->ship, why, sizeof why))
            fail_msg("%s", why);
    }
}

static void check_once(struct hand_over *h, int from, int to)
{
    json_t *records = delivered(h->far.trail);
    for (int id = from; id < to; id++)
        assert_int_equal(delivered_times(records, id), 1);
    assert_int_equal(json_array_size(records), to - from);
    json_decref(records);
}

static void events_arrive_in_batches(void **state)
{
    struct hand_over *h = *state;
    open_sender(h);
    open_receiver(h);
    assert_false(next(h, 1000));
    assert_int_equal(ship_pending(h->ship), 0);
    for (int id = 0; id < 10; id++)
        record(h, id);
    assert_true(ship_pending(h->ship) > 0);
    assert_true(next(h, 1000));
    assert_true(h->body.len <= 1000);
    assert_true(receive(h) < 10);
    assert_true(ship_done(h->ship, why, sizeof why));
    assert_true(next(h, 1)); // at least one
    assert_int_equal(receive(h), 1);
    assert_true(ship_done(h->ship, why, sizeof why));
    ship_all(h, SHIP_BATCH_MAX);
    assert_int_equal(ship_pending(h->ship), 0);
    close_sender(h);
    close_receiver(h);
    check_once(h, 0, 10);
    open_sender(h); // what is shipped is forgotten, at the latest at the next start
    assert_int_equal(files_in(h->dir.journal, ".log"), 0);
    close_sender(h);
}

// The answer is lost, either side is started anew: the same events come again and are dropped.
static void what_comes_twice_is_dropped(void **state)
{
    struct hand_over *h = *state;
    open_sender(h);
    open_receiver(h);
    record(h, 0);
    record(h, 1);
    assert_true(next(h, SHIP_BATCH_MAX));
    assert_int_equal(receive(h), 2);
    assert_int_equal(receive(h), 0);
    close_sender(h);   // without ship_done()
    close_receiver(h); // delivered and forgotten
    assert_int_equal(files_in(h->far.journal, ".log"), 0);
    open_sender(h);
    open_receiver(h);
    record(h, 2);
    assert_true(next(h, SHIP_BATCH_MAX));
    assert_int_equal(receive(h), 0); // the old segment
    assert_true(ship_done(h->ship, why, sizeof why));
    assert_true(next(h, SHIP_BATCH_MAX));
    assert_int_equal(receive(h), 1);
    assert_true(ship_done(h->ship, why, sizeof why));
    close_sender(h);
    close_receiver(h);
    check_once(h, 0, 3);
}

static void a_receiver_that_failed_gets_them_again(void **state)
{
    struct hand_over *h = *state;
    size_t accepted;
    open_sender(h);
    open_receiver(h);
    record(h, 0);
    assert_true(next(h, SHIP_BATCH_MAX));
    struct journal_writer *other = journal_writer_new(h->far_journal, "w1", why, sizeof why);
    assert_int_equal(ship_accept(h->far_writer, buf_span(&h->body), &accepted, why, sizeof why), SHIP_ACCEPTED);
    assert_int_equal(ship_accept(other, buf_span(&h->body), &accepted, why, sizeof why), SHIP_LATER);
    fail_calls(FAULT_SYNC, 0, 1, EIO);
    assert_false(journal_flush(h->far_writer));
    assert_true(journal_flush(other));
    assert_int_equal(ship_accept(other, buf_span(&h->body), &accepted, why, sizeof why), SHIP_ACCEPTED);
    assert_int_equal(accepted, 1);
    assert_true(journal_flush(other));
    journal_writer_free(other);
    close_sender(h);
    close_receiver(h);
    check_once(h, 0, 1);
}

static void two_senders_do_not_mix(void **state)
{
    struct hand_over *h = *state;
    struct scratch first = h->dir;
    open_receiver(h);
    open_sender(h);
    record(h, 0);
    ship_all(h, SHIP_BATCH_MAX);
    close_sender(h);
    scratch_new(&h->dir); // another machine
    open_sender(h);
    record(h, 1);
    ship_all(h, SHIP_BATCH_MAX);
    close_sender(h);
    close_receiver(h);
    check_once(h, 0, 2);
    scratch_remove(&first);
}

static void expect_refused(struct hand_over *h, const char *body)
{
    size_t accepted;
    enum ship_verdict verdict = ship_accept(h->far_writer, span_of(body), &accepted, why, sizeof why);
    if (verdict != SHIP_MALFORMED)
        fail_msg("accepted: %s", body);
    assert_int_equal(accepted, 0);
    assert_int_equal(journal_staged(h->far_writer), 0);
    assert_true(strlen(why) > 0);
}

#define HEAD "{\"origin\":\"there/w0\"}\n"
#define EVENT(sequence, account, region, record)                                                                       \
    "{\"sequence\":" sequence ",\"account\":\"" account "\",\"region\":\"" region "\",\"time\":1,\"record\":" record   \
    "}\n"
#define RECORD(source, account, region)                                                                                \
    "{\"eventSource\":\"" source "\",\"eventID\":\"1\",\"recipientAccountId\":\"" account "\",\"awsRegion\":\"" region \
    "\"}"
#define GOOD(sequence) EVENT(sequence, HOME, "us-east-1", RECORD("dynamodb.amazonaws.com", HOME, "us-east-1"))

static void a_batch_is_believed_nothing(void **state)
{
    struct hand_over *h = *state;
    static const char *const bad[] = {
        "",
        "\n",
        "x",
        "{}\n",
        "[]\n",
        "{\"origin\":1}\n",
        "{\"origin\":\"\"}\n",
        "{\"origin\":\"a b\"}\n",
        "{\"origin\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}\n",
        HEAD "x\n",
        HEAD "[]\n",
        HEAD "{}\n",
        HEAD "\n",
        HEAD EVENT("0", HOME, "us-east-1", RECORD("dynamodb.amazonaws.com", HOME, "us-east-1")),
        HEAD EVENT("-1", HOME, "us-east-1", RECORD("dynamodb.amazonaws.com", HOME, "us-east-1")),
        HEAD EVENT("\"1\"", HOME, "us-east-1", RECORD("dynamodb.amazonaws.com", HOME, "us-east-1")),
        HEAD EVENT("1", "1", "us-east-1", RECORD("dynamodb.amazonaws.com", "1", "us-east-1")),
        HEAD EVENT("1", HOME, "../x", RECORD("dynamodb.amazonaws.com", HOME, "../x")),
        HEAD EVENT("1", HOME, "us-east-1", RECORD("kms.amazonaws.com", HOME, "us-east-1")),
        HEAD EVENT("1", HOME, "us-east-1", RECORD("dynamodb.amazonaws.com", "444455556666", "us-east-1")),
        HEAD EVENT("1", HOME, "us-east-1", RECORD("dynamodb.amazonaws.com", HOME, "eu-west-1")),
        HEAD EVENT("1", HOME, "us-east-1", "[]"),
        HEAD EVENT("1", HOME, "us-east-1", "\"x\""),
        HEAD EVENT("1", HOME, "us-east-1", "{}"),
        HEAD GOOD("1") GOOD("1"),  // does not grow
        HEAD GOOD("1") "{\"seque", // the good one is not filed either
    };
    open_receiver(h);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(h, bad[i]);
    size_t accepted;
    assert_int_equal(ship_accept(h->far_writer, SPAN(HEAD GOOD("1") GOOD("7")), &accepted, why, sizeof why),
                     SHIP_ACCEPTED);
    assert_int_equal(accepted, 2);
    assert_int_equal(ship_accept(h->far_writer, SPAN(HEAD), &accepted, why, sizeof why), SHIP_ACCEPTED);
    assert_int_equal(accepted, 0);
    assert_true(journal_flush(h->far_writer));
    close_receiver(h);
}

static void damage_is_told(void **state)
{
    struct hand_over *h = *state;
    open_sender(h);
    record(h, 0);
    char path[PATH_MAX];
    assert_true(journal_segment_path(h->near_journal, "w0", h->near_writer->segment->number, path));
    FILE *f = fopen(path, "r+");
    fseek(f, 150, SEEK_SET);
    fputc('#', f);
    fclose(f);
    assert_int_equal(ship_next(h->ship, SHIP_BATCH_MAX, &h->body, why, sizeof why), SHIP_FAILED);
    assert_non_null(strstr(why, path));
    close_sender(h);
}

// Both daemons in one process, killed anywhere.
static void live(void *arg)
{
    struct hand_over *h = arg;
    int id = 0;
    open_sender(h);
    open_receiver(h);
    h->near_journal->segment_size = h->far_journal->segment_size = 600;
    for (int i = 0; i < 6; i++) {
        record(h, id);
        h->progress->acknowledged = ++id;
        if (i % 3 == 2)
            ship_all(h, 700);
        if (i == 4)
            assert_true(deliver_run(h->deliver, 0, why, sizeof why));
    }
    ship_all(h, 700);
    close_sender(h);
    close_receiver(h);
}

static void recover(void *arg)
{
    struct hand_over *h = arg;
    open_sender(h);
    open_receiver(h);
    ship_all(h, SHIP_BATCH_MAX);
    close_sender(h);
    close_receiver(h);
}

static void kill_anywhere(void **state)
{
    struct hand_over *h = *state;
    bool killed = true;
    int point = 1;
    for (; killed; point++) {
        h->progress->acknowledged = 0;
        killed = killed_at(point, live, h);
        killed_at(1 + point * 11 % 37, recover, h);
        killed_at(0, recover, h);
        json_t *records = delivered(h->far.trail);
        for (int id = 0; id < 7; id++) {
            int times = delivered_times(records, id);
            if (times > 1 || (times == 0 && id < h->progress->acknowledged))
                fail_msg("killed at point %d: event %d delivered %d times", point, id, times);
        }
        json_decref(records);
        scratch_remove(&h->dir);
        scratch_remove(&h->far);
        scratch_new(&h->dir);
        scratch_new(&h->far);
    }
    assert_true(point > 150);
    print_message("%d points\n", point - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(events_arrive_in_batches),
        TEST(what_comes_twice_is_dropped),
        TEST(a_receiver_that_failed_gets_them_again),
        TEST(two_senders_do_not_mix),
        TEST(a_batch_is_believed_nothing),
        TEST(damage_is_told),
        TEST(kill_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
