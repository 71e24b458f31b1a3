// What a grant covers, what a child may be, and that its record keeps everything.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kmsd/grant.h"
#include "kmsd/grant_set.h"

#define PAIR(k, v)                                                                                                     \
    {                                                                                                                  \
        {k, sizeof(k) - 1},                                                                                            \
        {                                                                                                              \
            v, sizeof(v) - 1                                                                                           \
        }                                                                                                              \
    }

static struct str_pair pairs_a[] = {PAIR("a", "1")};
static struct str_pair pairs_ab[] = {PAIR("a", "1"), PAIR("b", "2")};
static struct str_pair pairs_b[] = {PAIR("b", "2")};
static struct str_pair pairs_upper[] = {PAIR("A", "1")};
static struct str_map none = {NULL, 0, false};
static struct str_map a = {pairs_a, 1, true}, ab = {pairs_ab, 2, true}, b = {pairs_b, 1, true};
static struct str_map upper = {pairs_upper, 1, true};

static struct grant make(uint32_t operations, enum grant_constraint constraint, struct str_map context)
{
    return (struct grant){.operations = operations, .constraint = constraint, .context = context};
}

static bool covers(struct grant g, enum grant_operation op, struct str_map *context)
{
    return grant_covers(&g, op, context, NULL, CONTEXT_CASE_IGNORE);
}

static void test_operations_and_contexts(void **state)
{
    (void)state;
    uint32_t ops = GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_DESCRIBE_KEY) | GRANT_BIT(GRANT_RETIRE_GRANT);
    struct grant open = make(ops, GRANT_UNCONSTRAINED, none), subset = make(ops, GRANT_CONTEXT_SUBSET, a),
                 equals = make(ops, GRANT_CONTEXT_EQUALS, a);
    assert_true(covers(open, GRANT_DECRYPT, &none) && covers(open, GRANT_DECRYPT, &ab));
    assert_false(covers(open, GRANT_ENCRYPT, &none));
    assert_true(covers(subset, GRANT_DECRYPT, &a) && covers(subset, GRANT_DECRYPT, &ab));
    assert_false(covers(subset, GRANT_DECRYPT, &b) || covers(subset, GRANT_DECRYPT, &none));
    assert_true(covers(equals, GRANT_DECRYPT, &a));
    assert_false(covers(equals, GRANT_DECRYPT, &ab) || covers(equals, GRANT_DECRYPT, NULL));
    // DescribeKey and RetireGrant have no context to compare.
    assert_true(covers(equals, GRANT_DESCRIBE_KEY, NULL) && covers(equals, GRANT_RETIRE_GRANT, NULL));
    // The case of the constraint's key matters by the rule, the value's always.
    assert_true(grant_covers(&subset, GRANT_DECRYPT, &upper, NULL, CONTEXT_CASE_IGNORE));
    assert_false(grant_covers(&subset, GRANT_DECRYPT, &upper, NULL, CONTEXT_CASE_EXACT));
}

static void test_source_arn(void **state)
{
    (void)state;
    struct grant g = make(GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_DESCRIBE_KEY) | GRANT_BIT(GRANT_RETIRE_GRANT),
                          GRANT_UNCONSTRAINED, none);
    char arn[] = "arn:aws:dynamodb:us-east-1:111122223333:table/t";
    g.source_arn = arn;
    assert_true(grant_covers(&g, GRANT_DECRYPT, &none, arn, CONTEXT_CASE_EXACT));
    assert_false(grant_covers(&g, GRANT_DECRYPT, &none, NULL, CONTEXT_CASE_EXACT));
    assert_false(grant_covers(&g, GRANT_DESCRIBE_KEY, &none, "arn:aws:s3:::x", CONTEXT_CASE_EXACT));
    assert_true(grant_covers(&g, GRANT_RETIRE_GRANT, &none, NULL, CONTEXT_CASE_EXACT));
}

#define PARENT_OPS (GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_ENCRYPT) | GRANT_BIT(GRANT_CREATE_GRANT))

static void test_children_are_no_wider(void **state)
{
    (void)state;
    static const struct {
        enum grant_constraint parent;
        struct str_map *parent_context;
        enum grant_constraint child;
        struct str_map *child_context;
        bool allowed;
    } matrix[] = {
        {GRANT_UNCONSTRAINED, &none, GRANT_UNCONSTRAINED, &none, true},
        {GRANT_UNCONSTRAINED, &none, GRANT_CONTEXT_SUBSET, &a, true},
        {GRANT_UNCONSTRAINED, &none, GRANT_CONTEXT_EQUALS, &a, true},
        {GRANT_CONTEXT_SUBSET, &a, GRANT_UNCONSTRAINED, &none, false},
        {GRANT_CONTEXT_SUBSET, &a, GRANT_CONTEXT_SUBSET, &a, true},
        {GRANT_CONTEXT_SUBSET, &a, GRANT_CONTEXT_SUBSET, &ab, true},
        {GRANT_CONTEXT_SUBSET, &ab, GRANT_CONTEXT_SUBSET, &a, false},
        {GRANT_CONTEXT_SUBSET, &a, GRANT_CONTEXT_SUBSET, &b, false},
        {GRANT_CONTEXT_SUBSET, &a, GRANT_CONTEXT_EQUALS, &ab, true},
        {GRANT_CONTEXT_SUBSET, &ab, GRANT_CONTEXT_EQUALS, &a, false},
        {GRANT_CONTEXT_EQUALS, &a, GRANT_CONTEXT_EQUALS, &a, true},
        {GRANT_CONTEXT_EQUALS, &a, GRANT_CONTEXT_EQUALS, &ab, false},
        {GRANT_CONTEXT_EQUALS, &a, GRANT_CONTEXT_SUBSET, &a, false},
        {GRANT_CONTEXT_EQUALS, &a, GRANT_UNCONSTRAINED, &none, false},
    };
    for (size_t i = 0; i < sizeof matrix / sizeof *matrix; i++) {
        struct grant parent = make(PARENT_OPS, matrix[i].parent, *matrix[i].parent_context);
        struct grant child = make(GRANT_BIT(GRANT_DECRYPT), matrix[i].child, *matrix[i].child_context);
        if (grant_child_allowed(&parent, &child, CONTEXT_CASE_IGNORE) != matrix[i].allowed)
            fail_msg("row %zu", i);
    }
}

static void test_children_have_no_other_operations(void **state)
{
    (void)state;
    struct grant parent = make(PARENT_OPS, GRANT_UNCONSTRAINED, none);
    struct grant wider = make(GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_GENERATE_DATA_KEY), GRANT_UNCONSTRAINED, none);
    struct grant same = make(PARENT_OPS, GRANT_UNCONSTRAINED, none);
    struct grant barren = make(GRANT_BIT(GRANT_DECRYPT), GRANT_UNCONSTRAINED, none);
    char arn[] = "arn:aws:dynamodb:us-east-1:111122223333:table/t";
    assert_false(grant_child_allowed(&parent, &wider, CONTEXT_CASE_IGNORE));
    assert_true(grant_child_allowed(&parent, &same, CONTEXT_CASE_IGNORE));
    assert_false(grant_child_allowed(&barren, &barren, CONTEXT_CASE_IGNORE));
    parent.source_arn = arn;
    assert_false(grant_child_allowed(&parent, &same, CONTEXT_CASE_IGNORE));
    same.source_arn = arn;
    assert_true(grant_child_allowed(&parent, &same, CONTEXT_CASE_IGNORE));
}

static struct grant *full(void)
{
    struct grant *g = grant_new();
    g->name = strdup("n");
    g->grantee = strdup("arn:aws:iam::111122223333:role/r");
    g->retiring = strdup("dynamodb.us-east-1.amazonaws.com");
    g->retiring_is_service = true;
    memcpy(g->issuing_account, "111122223333", 13);
    g->operations = PARENT_OPS;
    g->constraint = GRANT_CONTEXT_EQUALS;
    g->context = enc_context_copy(&ab);
    g->source_arn = strdup("arn:aws:dynamodb:us-east-1:111122223333:table/t");
    g->created_ns = 1234567890123456789;
    return g;
}

static void test_record(void **state)
{
    (void)state;
    struct grant *g = full();
    struct buf record;
    buf_init(&record, 4096);
    grant_encode(g, &record);
    struct grant *back = grant_decode(buf_span(&record));
    assert_non_null(back);
    assert_string_equal(back->name, g->name);
    assert_string_equal(back->grantee, g->grantee);
    assert_string_equal(back->retiring, g->retiring);
    assert_true(back->retiring_is_service && !back->grantee_is_service);
    assert_string_equal(back->issuing_account, g->issuing_account);
    assert_int_equal(back->operations, g->operations);
    assert_int_equal(back->constraint, g->constraint);
    assert_true(enc_context_equal(&back->context, &ab, CONTEXT_CASE_EXACT));
    assert_string_equal(back->source_arn, g->source_arn);
    assert_int_equal(back->created_ns, g->created_ns);
    grant_free(back);
    for (size_t n = 0; n < record.len; n++)
        assert_null(grant_decode((struct span){record.data, n}));
    buf_done(&record);
    grant_free(g);
}

static void test_fingerprint(void **state)
{
    (void)state;
    struct grant *x = full(), *y = full();
    y->created_ns = 1;
    grant_fingerprint(x, x->fingerprint);
    grant_fingerprint(y, y->fingerprint);
    assert_memory_equal(x->fingerprint, y->fingerprint, 32);
    y->operations = GRANT_BIT(GRANT_DECRYPT);
    grant_fingerprint(y, y->fingerprint);
    assert_memory_not_equal(x->fingerprint, y->fingerprint, 32);
    grant_free(x);
    grant_free(y);
}

static bool any(void *arg, const struct grant *g)
{
    return grant_covers(g, GRANT_DECRYPT, arg, NULL, CONTEXT_CASE_IGNORE);
}

// Thousands of grants to one principal, each for another table: the right one is found, in either case of the key, and
// is gone when it was removed.
static void test_set(void **state)
{
    (void)state;
    struct grant_set set = {0};
    struct grant *wanted = NULL;
    char table[32];
    for (int i = 0; i < 3000; i++) {
        struct grant *g = full();
        free(g->source_arn);
        g->source_arn = NULL;
        enc_context_free(&g->context);
        g->constraint = GRANT_CONTEXT_SUBSET;
        snprintf(table, sizeof table, "table-%d", i);
        struct str_pair pairs[] = {PAIR("subscriber", "111122223333"), {SPAN("table"), span_of(table)}};
        g->context = enc_context_copy(&(struct str_map){pairs, 2, true});
        memset(g->id, 0, sizeof g->id);
        memcpy(g->id, &i, sizeof i);
        grant_fingerprint(g, g->fingerprint);
        grant_set_add(&set, g);
        if (i == 1777)
            wanted = g;
    }
    struct str_pair asked[] = {PAIR("Subscriber", "111122223333"), PAIR("TABLE", "table-1777"), PAIR("more", "x")};
    struct str_map context = {asked, 3, true};
    struct grant_query q = {"arn:aws:iam::111122223333:role/r", GRANT_BIT(GRANT_DECRYPT), &context, NULL};
    assert_ptr_equal(grant_set_search(&set, &q, any, &context), wanted);
    q.operations = GRANT_BIT(GRANT_DECRYPT) | GRANT_BIT(GRANT_SIGN);
    assert_null(grant_set_search(&set, &q, any, &context));
    q = (struct grant_query){"arn:aws:iam::111122223333:role/q", GRANT_BIT(GRANT_DECRYPT), &context, NULL};
    assert_null(grant_set_search(&set, &q, any, &context));
    q.principal = "arn:aws:iam::111122223333:role/r";
    assert_ptr_equal(grant_set_find(&set, wanted->id), wanted);
    assert_ptr_equal(grant_set_same(&set, wanted), wanted);
    assert_int_equal(set.by_id.n, 3000);
    grant_set_remove(&set, wanted);
    assert_null(grant_set_search(&set, &q, any, &context));
    assert_int_equal(set.by_id.n, 2999);
    grant_set_done(&set);
    assert_null(set.grantees);
    assert_null(set.named);
}

struct visits {
    const struct grant *wanted;
    int n;
};

static bool count(void *arg, const struct grant *g)
{
    struct visits *v = arg;
    v->n++;
    return g == v->wanted;
}

static struct grant *plain(int i, enum grant_operation operation, const char *source_arn)
{
    struct grant *g = full();
    free(g->source_arn);
    g->source_arn = source_arn ? strdup(source_arn) : NULL;
    enc_context_free(&g->context);
    g->constraint = GRANT_UNCONSTRAINED;
    g->operations = GRANT_BIT(operation);
    memset(g->id, 0, sizeof g->id);
    memcpy(g->id, &i, sizeof i);
    grant_fingerprint(g, g->fingerprint);
    return g;
}

// A call does not look at the thousands of grants that allow something else, or are for another source.
static void test_search_looks_only_where_it_may_find(void **state)
{
    (void)state;
    struct grant_set set = {0};
    struct grant *decrypts = plain(1, GRANT_DECRYPT, NULL), *sourced = plain(2, GRANT_DESCRIBE_KEY, "arn:aws:s3:::one");
    static const struct str_map no_context;
    struct grant_query q = {"arn:aws:iam::111122223333:role/r", GRANT_BIT(GRANT_DECRYPT), &no_context, NULL};
    grant_set_add(&set, decrypts);
    grant_set_add(&set, sourced);
    for (int i = 3; i < 1000; i++) {
        char source[32];
        snprintf(source, sizeof source, "arn:aws:s3:::%d", i);
        grant_set_add(&set, plain(i, i % 2 ? GRANT_ENCRYPT : GRANT_DESCRIBE_KEY, i % 2 ? NULL : source));
    }
    struct visits v = {decrypts, 0};
    assert_ptr_equal(grant_set_search(&set, &q, count, &v), decrypts);
    assert_int_equal(v.n, 1);
    q = (struct grant_query){q.principal, GRANT_BIT(GRANT_DESCRIBE_KEY), NULL, "arn:aws:s3:::one"};
    v = (struct visits){sourced, 0};
    assert_ptr_equal(grant_set_search(&set, &q, count, &v), sourced);
    assert_int_equal(v.n, 1);
    q.source_arn = NULL;
    v = (struct visits){NULL, 0};
    assert_null(grant_set_search(&set, &q, count, &v));
    assert_int_equal(v.n, 0);
    grant_set_done(&set);
    assert_null(set.grantees);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search_looks_only_where_it_may_find),
        cmocka_unit_test(test_operations_and_contexts),
        cmocka_unit_test(test_source_arn),
        cmocka_unit_test(test_children_are_no_wider),
        cmocka_unit_test(test_children_have_no_other_operations),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
