// The key cache with a clock and a KMS of the test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ddbd/faults.h"
#include "ddbd/keycache.h"

#define SECOND INT64_C(1000000000)
#define TTL (300 * SECOND)
#define KEY_ARN "arn:aws:kms:us-east-1:111122223333:key/k1"

struct world {
    struct keycache *cache;
    int64_t now;
    int opened, closed, woken, ready;
    const struct fault *open_fault;
};

struct use {
    struct keycache_waiter w;
    struct world *world;
};

static int64_t world_now(void *arg)
{
    return ((struct world *)arg)->now;
}

static const struct fault *world_open(void *arg, const void *context, struct span key, void **opened)
{
    struct world *w = arg;
    assert_string_equal(context, "table");
    assert_int_equal(key.n, 32);
    if (w->open_fault)
        return w->open_fault;
    w->opened++;
    *opened = w;
    return NULL;
}

static void world_close(void *arg, void *opened)
{
    assert_ptr_equal(arg, opened);
    ((struct world *)arg)->closed++;
}

static void world_woken(void *arg)
{
    ((struct world *)arg)->woken++;
}

static void on_ready(struct keycache_waiter *w)
{
    ((struct use *)w->arg)->world->ready++;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->now = 1000 * SECOND;
    w->cache = keycache_new(&(struct keycache_ops){world_now, world_open, world_close, world_woken, w}, TTL);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    keycache_free(w->cache);
    assert_int_equal(w->opened, w->closed);
    free(w);
    return 0;
}

static struct keycache_request request(const char *principal)
{
    return (struct keycache_request){.id = {"t-1", 1}, .principal = principal, .kms_arn = KEY_ARN};
}

static enum keycache_result ask(struct world *w, const char *principal, struct use *u, struct keycache_fetch **f)
{
    *u = (struct use){.w = {.ready = on_ready, .arg = u}, .world = w};
    *f = NULL;
    struct keycache_request r = request(principal);
    return keycache_get(w->cache, &r, &u->w, f);
}

static void finish(struct world *w, struct use *u)
{
    keycache_waiter_done(w->cache, &u->w);
}

static void answer(struct world *w, struct keycache_fetch *f)
{
    static const char key[32];
    keycache_answer(w->cache, f, "table", (struct span){key, sizeof key}, NULL, NULL);
}

// One Decrypt for this principal, used and released.
static void warm(struct world *w, const char *principal)
{
    struct use u;
    struct keycache_fetch *f;
    assert_int_equal(ask(w, principal, &u, &f), KEYCACHE_FETCH);
    answer(w, f);
    assert_non_null(u.w.lease);
    finish(w, &u);
}

static bool is_warm(struct world *w, const char *principal)
{
    struct use u;
    struct keycache_fetch *f;
    enum keycache_result r = ask(w, principal, &u, &f);
    if (r == KEYCACHE_FETCH)
        keycache_answer(w->cache, f, "table", (struct span){0}, &fault_internal, NULL);
    finish(w, &u);
    return r == KEYCACHE_HIT;
}

static void lifetime_counts_from_the_decrypt_not_from_the_last_use(void **state)
{
    struct world *w = *state;
    warm(w, "alice");
    for (int i = 0; i < 9; i++) {
        w->now += 30 * SECOND;
        assert_true(is_warm(w, "alice"));
    }
    w->now += 30 * SECOND - 1;
    assert_true(is_warm(w, "alice"));
    w->now += 1;
    assert_false(is_warm(w, "alice"));
}

static void lifetime_counts_from_when_the_decrypt_was_asked_for(void **state)
{
    struct world *w = *state;
    struct use u;
    struct keycache_fetch *f;
    ask(w, "alice", &u, &f);
    w->now += 4 * SECOND; // KMS is slow
    answer(w, f);
    finish(w, &u);
    w->now += TTL - 4 * SECOND;
    assert_false(is_warm(w, "alice"));
}

static void every_principal_needs_its_own_decrypt(void **state)
{
    struct world *w = *state;
    warm(w, "alice");
    assert_false(is_warm(w, "bob"));
    warm(w, "bob");
    assert_true(is_warm(w, "alice"));
    assert_int_equal(keycache_entries(w->cache), 2);
}

static void misses_of_one_principal_share_a_decrypt(void **state)
{
    struct world *w = *state;
    struct use a, b, c;
    struct keycache_fetch *f, *none;
    assert_int_equal(ask(w, "alice", &a, &f), KEYCACHE_FETCH);
    assert_int_equal(ask(w, "alice", &b, &none), KEYCACHE_WAIT);
    assert_int_equal(ask(w, "alice", &c, &none), KEYCACHE_WAIT);
    keycache_cancel(w->cache, &b.w);
    answer(w, f);
    assert_int_equal(w->ready, 2);
    assert_non_null(a.w.lease);
    assert_null(b.w.lease);
    assert_non_null(c.w.lease);
    assert_int_equal(w->opened, 1);
    finish(w, &a);
    finish(w, &c);
}

static void a_refusal_reaches_all_waiters_and_is_not_kept(void **state)
{
    struct world *w = *state;
    struct use a, b;
    struct keycache_fetch *f, *none;
    ask(w, "alice", &a, &f);
    ask(w, "alice", &b, &none);
    keycache_answer(w->cache, f, "table", (struct span){0}, &fault_validation, "KMS key disabled error");
    assert_ptr_equal(a.w.fault, &fault_validation);
    assert_string_equal(b.w.detail, "KMS key disabled error");
    assert_null(b.w.lease);
    finish(w, &a);
    finish(w, &b);
    warm(w, "alice"); // asks again
    assert_true(is_warm(w, "alice"));
}

static void a_table_that_cannot_be_opened_is_a_fault(void **state)
{
    struct world *w = *state;
    struct use u;
    struct keycache_fetch *f;
    w->open_fault = &fault_internal;
    ask(w, "alice", &u, &f);
    answer(w, f);
    assert_ptr_equal(u.w.fault, &fault_internal);
    assert_int_equal(keycache_entries(w->cache), 0);
    finish(w, &u);
}

static void expiry_closes_without_waiting_for_a_next_use(void **state)
{
    struct world *w = *state;
    warm(w, "alice");
    assert_int_equal(w->woken, 1);
    assert_int_equal(keycache_due(w->cache), w->now + TTL);
    keycache_expire(w->cache, w->now + TTL - 1);
    assert_int_equal(w->closed, 0);
    keycache_expire(w->cache, w->now + TTL);
    assert_int_equal(w->closed, 1);
    assert_int_equal(keycache_due(w->cache), INT64_MAX);
}

static void a_call_under_way_keeps_its_table_open_past_the_expiry(void **state)
{
    struct world *w = *state;
    warm(w, "alice");
    struct use u;
    struct keycache_fetch *f;
    assert_int_equal(ask(w, "alice", &u, &f), KEYCACHE_HIT);
    keycache_expire(w->cache, w->now + TTL);
    assert_int_equal(w->closed, 0);
    finish(w, &u);
    assert_int_equal(w->closed, 1);
}

static void dropping_a_kms_key_bites_at_once(void **state)
{
    struct world *w = *state;
    warm(w, "alice");
    warm(w, "bob");
    keycache_drop_key(w->cache, "arn:aws:kms:us-east-1:111122223333:key/other");
    assert_true(is_warm(w, "alice"));
    keycache_drop_key(w->cache, KEY_ARN);
    assert_int_equal(w->closed, 2);
    assert_false(is_warm(w, "alice"));
}

static void an_answer_to_a_question_from_before_the_drop_is_not_kept(void **state)
{
    struct world *w = *state;
    struct use before, after;
    struct keycache_fetch *f, *f2;
    ask(w, "alice", &before, &f);
    keycache_drop_key(w->cache, NULL);
    assert_int_equal(ask(w, "alice", &after, &f2), KEYCACHE_FETCH); // does not share the old question
    answer(w, f);
    assert_non_null(before.w.lease);
    assert_null(after.w.lease);
    finish(w, &before);
    assert_int_equal(w->closed, 1);
    answer(w, f2);
    assert_non_null(after.w.lease);
    finish(w, &after);
    assert_true(is_warm(w, "alice"));
}

static void a_deleted_table_is_closed(void **state)
{
    struct world *w = *state;
    warm(w, "alice");
    keycache_drop_table(w->cache, "t-1", 2);
    assert_int_equal(w->closed, 0);
    keycache_drop_table(w->cache, "t-1", 0);
    assert_int_equal(w->closed, 1);
}

static void the_owned_keys_tables_stay_open_while_used(void **state)
{
    struct world *w = *state;
    struct keycache_request r = {.id = {"t-2", 1}, .principal = "", .kms_arn = "", .until_idle = true};
    struct use u = {.w = {.ready = on_ready, .arg = &u}, .world = w};
    struct keycache_fetch *f;
    assert_int_equal(keycache_get(w->cache, &r, &u.w, &f), KEYCACHE_FETCH);
    answer(w, f);
    finish(w, &u);
    keycache_drop_key(w->cache, NULL); // of KMS keys only
    for (int i = 0; i < 10; i++) {
        w->now += 200 * SECOND;
        keycache_expire(w->cache, w->now);
        assert_int_equal(keycache_get(w->cache, &r, &u.w, &f), KEYCACHE_HIT);
        finish(w, &u);
    }
    keycache_expire(w->cache, w->now + TTL);
    assert_int_equal(w->closed, 1);
}

static void a_clock_set_back_does_not_prolong_a_life(void **state)
{
    struct world *w = *state;
    warm(w, "alice");
    w->now -= 500 * SECOND;
    assert_false(is_warm(w, "alice"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lifetime_counts_from_the_decrypt_not_from_the_last_use),
        TEST(lifetime_counts_from_when_the_decrypt_was_asked_for),
        TEST(every_principal_needs_its_own_decrypt),
        TEST(misses_of_one_principal_share_a_decrypt),
        TEST(a_refusal_reaches_all_waiters_and_is_not_kept),
        TEST(a_table_that_cannot_be_opened_is_a_fault),
        TEST(expiry_closes_without_waiting_for_a_next_use),
        TEST(a_call_under_way_keeps_its_table_open_past_the_expiry),
        TEST(dropping_a_kms_key_bites_at_once),
        TEST(an_answer_to_a_question_from_before_the_drop_is_not_kept),
        TEST(a_deleted_table_is_closed),
        TEST(the_owned_keys_tables_stay_open_while_used),
        TEST(a_clock_set_back_does_not_prolong_a_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
