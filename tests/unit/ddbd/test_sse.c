// Encryption rules: what a request may ask for, how often, and that a change of key can be cut off anywhere.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "ddbd/faults.h"
#include "ddbd/sse.h"
#include "ddbd/sse_keys.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define OLD_ARN "arn:aws:kms:us-east-1:111122223333:key/old"
#define NEW_ARN "arn:aws:kms:us-east-1:111122223333:key/new"
#define PREFIX "One or more parameter values were invalid: "

// ---- SSESpecification ----

struct spec_case {
    struct sse_specification spec;
    enum sse_kind kind;
    const char *key;     // SSE_KMS
    const char *refusal; // NULL: accepted
};

#define YES                                                                                                            \
    {                                                                                                                  \
        true, true                                                                                                     \
    }
#define NO                                                                                                             \
    {                                                                                                                  \
        true, false                                                                                                    \
    }
#define KMS                                                                                                            \
    {                                                                                                                  \
        "KMS", 3                                                                                                       \
    }
#define AES                                                                                                            \
    {                                                                                                                  \
        "AES256", 6                                                                                                    \
    }
#define KEY                                                                                                            \
    {                                                                                                                  \
        "alias/mine", 10                                                                                               \
    }

static void specifications_are_read_as_the_service_does(void **state)
{
    (void)state;
    static const struct spec_case cases[] = {
        {{{0}, {0}, {0}}, SSE_OWNED, NULL, NULL},
        {{NO, {0}, {0}}, SSE_OWNED, NULL, NULL},
        {{YES, {0}, {0}}, SSE_KMS, SSE_MANAGED_ALIAS, NULL},
        {{YES, KMS, {0}}, SSE_KMS, SSE_MANAGED_ALIAS, NULL},
        {{{0}, KMS, {0}}, SSE_KMS, SSE_MANAGED_ALIAS, NULL},
        {{{0}, KMS, KEY}, SSE_KMS, "alias/mine", NULL},
        {{YES, KMS, KEY}, SSE_KMS, "alias/mine", NULL},
        {{NO, KMS, {0}}, 0, NULL, PREFIX "SSEType can not be specified if Enabled is false"},
        {{NO, KMS, KEY}, 0, NULL, PREFIX "SSEType can not be specified if Enabled is false"},
        {{NO, {0}, KEY}, 0, NULL, PREFIX "KMSMasterKeyId can not be specified if Enabled is false"},
        {{YES, {0}, KEY}, 0, NULL, PREFIX "SSEType KMS is required if KMSMasterKeyId is specified"},
        {{YES, AES, {0}}, 0, NULL, PREFIX "SSEType AES256 is not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct spec_case *c = &cases[i];
        struct sse_wish wish;
        char detail[SSE_DETAIL_SIZE];
        const struct fault *fault = sse_read(&c->spec, &wish, detail);
        if (c->refusal) {
            assert_ptr_equal(fault, &fault_validation);
            assert_string_equal(detail, c->refusal);
            continue;
        }
        assert_null(fault);
        assert_int_equal(wish.kind, c->kind);
        assert_true(!c->key || span_is(wish.key_id, c->key));
    }
}

// ---- changes ----

static struct table_info *table_under(enum sse_kind kind)
{
    struct table_info *t = calloc(1, sizeof *t);
    atomic_init(&t->refs, 1);
    snprintf(t->account, sizeof t->account, "%s", "111122223333");
    snprintf(t->region, sizeof t->region, "%s", "us-east-1");
    snprintf(t->name, sizeof t->name, "%s", "ratings");
    snprintf(t->id, sizeof t->id, "%s", "e6befed6-86c8-4b4d-b800-9be1062eb67b");
    snprintf(t->schema.hash.name, sizeof t->schema.hash.name, "%s", "player");
    t->status = TABLE_ACTIVE;
    t->created_ns = t->sse_window_ns = 1000 * HOUR;
    t->key.version = 1;
    t->key.kind = kind;
    snprintf(t->key.kms_arn, sizeof t->key.kms_arn, "%s", kind == SSE_KMS ? OLD_ARN : "");
    return t;
}

static const struct fault *change(struct table_info *t, const char *key, int64_t now, char detail[SSE_DETAIL_SIZE])
{
    struct sse_wish wish = {key ? SSE_KMS : SSE_OWNED, span_of(key)};
    const struct fault *fault = sse_may_change(t, &wish, now, detail);
    if (!fault)
        sse_count_change(t, now);
    return fault;
}

static void the_key_in_use_is_recognised_by_its_arn_only(void **state)
{
    (void)state;
    char detail[SSE_DETAIL_SIZE];
    struct table_info *t = table_under(SSE_KMS);
    assert_ptr_equal(change(t, OLD_ARN, t->created_ns, detail), &fault_validation);
    assert_string_equal(detail, PREFIX "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId "
                                       "parameter if you want to change Master Key");
    assert_null(change(t, "old", t->created_ns, detail));
    assert_null(change(t, SSE_MANAGED_ALIAS, t->created_ns, detail));
    table_info_unref(t);
    t = table_under(SSE_OWNED);
    assert_ptr_equal(change(t, NULL, t->created_ns, detail), &fault_validation);
    assert_string_equal(detail, PREFIX "Table is already encrypted by default");
    table_info_unref(t);
}

static void four_changes_a_day_then_one_in_six_hours(void **state)
{
    (void)state;
    char detail[SSE_DETAIL_SIZE];
    struct table_info *t = table_under(SSE_KMS);
    int64_t now = t->created_ns;
    for (int i = 0; i < 4; i++)
        assert_null(change(t, NEW_ARN, now += SECOND, detail));
    assert_ptr_equal(change(t, NEW_ARN, now + 6 * HOUR - 1, detail), &fault_limit_exceeded);
    assert_string_equal(
        detail, "Subscriber limit exceeded: Encryption mode changes are limited in the 24h window ending at "
                "1970-02-12T16:00:00.000Z. After the first 4 change, each subsequent change in the same window can be "
                "performed at most once every 21600 seconds. Number of updates today: 4. Last change at "
                "1970-02-11T16:00:04.000Z. Next changes can be made at 1970-02-11T22:00:04.000Z.");
    assert_null(change(t, NULL, now + HOUR, detail)); // to the owned key: never blocked, but counted
    assert_int_equal(t->sse_changes, 5);
    assert_non_null(change(t, NEW_ARN, now + 6 * HOUR, detail));
    assert_null(change(t, NEW_ARN, now + 7 * HOUR, detail));
    assert_null(change(t, NEW_ARN, t->created_ns + 24 * HOUR, detail)); // a new window
    assert_int_equal(t->sse_changes, 1);
    table_info_unref(t);
}

static void no_second_change_while_one_is_under_way(void **state)
{
    (void)state;
    char detail[SSE_DETAIL_SIZE];
    struct table_info *t = table_under(SSE_KMS);
    sse_begin(t, SSE_KMS, NEW_ARN, (const char[TABLE_GRANTS][GRANT_ID_SIZE]){"", ""});
    assert_ptr_equal(change(t, "other", t->created_ns, detail), &fault_in_use);
    assert_string_equal(detail, "Attempt to change a resource which is still in use: Table: ratings is in the process "
                                "of being updated.");
    table_info_unref(t);
}

// ---- crash points ----

// KMS of the test: the plaintext table key of each version.
static char table_keys[3][KEY_SIZE];
static char dek_bytes[KEY_SIZE];

static void give_key(struct table_info *t, struct table_key *key)
{
    memset(key->wrapped, (int)key->version, 8);
    key->wrapped_n = 8;
    struct span table_key = {table_keys[key->version], KEY_SIZE};
    assert_true(sse_keys_wrap_dek(t, key, table_key, (struct span){dek_bytes, KEY_SIZE}));
}

// What a daemon that is started after a crash finds: only the record. The table must open with the key that it names.
static struct table_info *crash(struct table_info *t)
{
    struct buf record;
    buf_init(&record, 16384);
    assert_true(table_record_write(&record, t));
    struct table_info *again = table_record_read(buf_span(&record));
    assert_non_null(again);
    buf_done(&record);
    table_info_unref(t);
    struct secret dek = {0};
    assert_true(sse_keys_open_dek(again, &again->key, (struct span){table_keys[again->key.version], KEY_SIZE}, &dek));
    assert_memory_equal(dek.p, dek_bytes, KEY_SIZE);
    secret_done(&dek);
    return again;
}

static void a_change_of_key_can_be_cut_off_anywhere(void **state)
{
    (void)state;
    struct table_key retire;
    int64_t now = 2000 * HOUR;
    memset(table_keys[1], 0x11, KEY_SIZE);
    memset(table_keys[2], 0x22, KEY_SIZE);
    memset(dek_bytes, 0x33, KEY_SIZE);
    struct table_info *t = table_under(SSE_KMS);
    snprintf(t->key.grant_ids[0], sizeof t->key.grant_ids[0], "%s", "grant-old");
    give_key(t, &t->key);
    t = crash(t);

    sse_begin(t, SSE_KMS, NEW_ARN, (const char[TABLE_GRANTS][GRANT_ID_SIZE]){"grant-new-1", "grant-new-2"});
    t = crash(t);
    assert_int_equal(t->phase, SSE_PREPARING);
    assert_string_equal(t->key.kms_arn, OLD_ARN);
    assert_int_equal(sse_due(t), INT64_MAX); // waits for KMS, not for the clock

    t->sse_changed_ns = now;
    give_key(t, &t->other);
    sse_prepared(t);
    t = crash(t);
    assert_string_equal(sse_status_text(t), "UPDATING");
    assert_string_equal(t->key.kms_arn, OLD_ARN);
    assert_int_equal(sse_due(t), now + SSE_OLD_SHOWN_NS);

    assert_false(sse_advance(t, &retire));
    t = crash(t);
    assert_string_equal(sse_status_text(t), "UPDATING");
    assert_string_equal(t->key.kms_arn, NEW_ARN);
    assert_int_equal(t->key.version, 2);
    assert_int_equal(sse_due(t), now + SSE_OLD_SHOWN_NS + SSE_NEW_SHOWN_NS);

    assert_true(sse_advance(t, &retire));
    t = crash(t);
    assert_string_equal(sse_status_text(t), "ENABLED");
    assert_string_equal(retire.kms_arn, OLD_ARN);
    assert_string_equal(retire.grant_ids[0], "grant-old");
    assert_int_equal(t->other.wrapped_n, 0);
    assert_int_equal(sse_due(t), INT64_MAX);
    table_info_unref(t);
}

static void a_change_that_cannot_be_prepared_leaves_the_table_as_it_was(void **state)
{
    (void)state;
    struct table_key retire;
    struct table_info *t = table_under(SSE_KMS);
    give_key(t, &t->key);
    sse_begin(t, SSE_KMS, NEW_ARN, (const char[TABLE_GRANTS][GRANT_ID_SIZE]){"g1", "g2"});
    sse_abandon(t, &retire);
    t = crash(t);
    assert_int_equal(t->phase, SSE_STEADY);
    assert_string_equal(t->key.kms_arn, OLD_ARN);
    assert_string_equal(retire.grant_ids[1], "g2");
    table_info_unref(t);
}

static void under_the_owned_key_nothing_is_shown(void **state)
{
    (void)state;
    struct table_key retire;
    struct table_info *t = table_under(SSE_KMS);
    assert_true(sse_shown(t));
    sse_begin(t, SSE_OWNED, "", (const char[TABLE_GRANTS][GRANT_ID_SIZE]){"", ""});
    assert_true(sse_shown(t));
    sse_prepared(t);
    sse_advance(t, &retire);
    assert_true(sse_shown(t)); // Status UPDATING alone
    assert_int_equal(t->key.kind, SSE_OWNED);
    sse_advance(t, &retire);
    assert_false(sse_shown(t));
    table_info_unref(t);
}

static void a_new_key_heals_an_inaccessible_table(void **state)
{
    (void)state;
    struct table_key retire;
    struct table_info *t = table_under(SSE_KMS);
    t->status = TABLE_INACCESSIBLE;
    t->inaccessible_ns = 5;
    sse_begin(t, SSE_KMS, NEW_ARN, (const char[TABLE_GRANTS][GRANT_ID_SIZE]){"", ""});
    sse_prepared(t);
    assert_int_equal(t->status, TABLE_INACCESSIBLE);
    sse_advance(t, &retire);
    assert_int_equal(t->status, TABLE_ACTIVE);
    assert_int_equal(t->inaccessible_ns, 0);
    table_info_unref(t);
}

// ---- keys ----

static void a_wrapped_key_opens_only_where_it_belongs(void **state)
{
    (void)state;
    unsigned char wrapped[KEY_WRAPPED_SIZE];
    struct span under = {table_keys[1], KEY_SIZE};
    struct key_purpose purpose = {"data encryption key", "table-1", 1};
    struct secret key = {0};
    assert_true(key_wrap(under, &purpose, (struct span){dek_bytes, KEY_SIZE}, wrapped));
    assert_true(key_unwrap(under, &purpose, wrapped, &key));
    assert_memory_equal(key.p, dek_bytes, KEY_SIZE);
    secret_done(&key);
    struct key_purpose others[] = {
        {"table key", "table-1", 1}, {"data encryption key", "table-2", 1}, {"data encryption key", "table-1", 2}};
    for (size_t i = 0; i < 3; i++)
        assert_false(key_unwrap(under, &others[i], wrapped, &key));
    assert_false(key_unwrap((struct span){table_keys[2], KEY_SIZE}, &purpose, wrapped, &key));
    for (size_t i = 0; i < sizeof wrapped; i++) {
        wrapped[i] ^= 1;
        assert_false(key_unwrap(under, &purpose, wrapped, &key));
        wrapped[i] ^= 1;
    }
    assert_null(key.p);
}

int main(void)
{
    json_read_setup();
    memset(table_keys[1], 0x11, KEY_SIZE);
    memset(table_keys[2], 0x22, KEY_SIZE);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specifications_are_read_as_the_service_does),
        cmocka_unit_test(the_key_in_use_is_recognised_by_its_arn_only),
        cmocka_unit_test(four_changes_a_day_then_one_in_six_hours),
        cmocka_unit_test(no_second_change_while_one_is_under_way),
        cmocka_unit_test(a_change_of_key_can_be_cut_off_anywhere),
        cmocka_unit_test(a_change_that_cannot_be_prepared_leaves_the_table_as_it_was),
        cmocka_unit_test(under_the_owned_key_nothing_is_shown),
        cmocka_unit_test(a_new_key_heals_an_inaccessible_table),
        cmocka_unit_test(a_wrapped_key_opens_only_where_it_belongs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
