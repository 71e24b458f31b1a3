// The change feed: what a reader gets, and when it is told to drop everything.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "kmsd/changes.h"

static json_t *ask(struct changes *c, uint64_t after, const char *epoch)
{
    struct buf b;
    struct json_write w;
    buf_init(&b, 1 << 20);
    json_write_init(&w, &b);
    changes_write(c, after, span_of(epoch), &w);
    json_t *v = json_read(buf_span(&b), NULL, 0);
    buf_done(&b);
    assert_non_null(v);
    return v;
}

static size_t count(const json_t *v)
{
    return json_array_size(json_object_get(v, "changes"));
}

static bool reset(const json_t *v)
{
    return json_is_true(json_object_get(v, "reset"));
}

static void test_reading(void **state)
{
    (void)state;
    json_read_setup();
    struct rng *rng = rng_new(NULL);
    struct changes *c = changes_new(rng, 4);
    json_t *v = ask(c, 0, NULL);
    char epoch[64];
    snprintf(epoch, sizeof epoch, "%s", json_string_value(json_object_get(v, "epoch")));
    assert_true(count(v) == 0 && !reset(v));
    json_decref(v);
    changes_add(c, CHANGE_KEY_DISABLED, "arn:1", NULL);
    changes_add(c, CHANGE_GRANT_RETIRED, "arn:2", "abcd");
    v = ask(c, 1, epoch);
    assert_int_equal(count(v), 1);
    const json_t *change = json_array_get(json_object_get(v, "changes"), 0);
    assert_string_equal(json_string_value(json_object_get(change, "kind")), "GrantRetired");
    assert_string_equal(json_string_value(json_object_get(change, "keyId")), "arn:2");
    assert_string_equal(json_string_value(json_object_get(change, "grantId")), "abcd");
    json_decref(v);
    v = ask(c, 2, "of another run");
    assert_true(reset(v) && count(v) == 0);
    json_decref(v);
    for (int i = 0; i < 4; i++)
        changes_add(c, CHANGE_KEY_POLICY, "arn:3", NULL);
    v = ask(c, 2, epoch); // exactly what is kept
    assert_true(!reset(v) && count(v) == 4);
    json_decref(v);
    v = ask(c, 1, epoch); // one too far behind
    assert_true(reset(v));
    json_decref(v);
    v = ask(c, 7, epoch); // ahead of us
    assert_true(reset(v));
    json_decref(v);
    changes_free(c);
    rng_free(rng);
}

// Other principals may be other rights for every key.
static void test_reset(void **state)
{
    (void)state;
    json_read_setup();
    struct rng *rng = rng_new(NULL);
    struct changes *c = changes_new(rng, 4);
    changes_add(c, CHANGE_KEY_POLICY, "arn:1", NULL);
    json_t *v = ask(c, 1, NULL);
    char epoch[64];
    snprintf(epoch, sizeof epoch, "%s", json_string_value(json_object_get(v, "epoch")));
    json_decref(v);
    changes_reset(c, rng);
    v = ask(c, 1, epoch);
    assert_true(reset(v) && count(v) == 0);
    assert_int_equal(json_integer_value(json_object_get(v, "last")), 1);
    snprintf(epoch, sizeof epoch, "%s", json_string_value(json_object_get(v, "epoch")));
    json_decref(v);
    v = ask(c, 1, epoch); // once
    assert_false(reset(v));
    json_decref(v);
    changes_free(c);
    rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading), cmocka_unit_test(test_reset)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
