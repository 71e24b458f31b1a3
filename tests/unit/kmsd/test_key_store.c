// Stored records of custom key stores: what goes in comes out, and nothing else is taken for one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/key.h"
#include "kmsd/key_store.h"

static struct key_store *new_store(enum key_store_type type)
{
    struct key_store *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->type = type;
    s->state = STORE_FAILED;
    s->error = CONNECTION_USER_LOCKED_OUT;
    s->created_ns = 5;
    s->until_ns = 7;
    snprintf(s->id, sizeof s->id, "cks-0123456789abcdef0");
    snprintf(s->account, sizeof s->account, "111122223333");
    snprintf(s->region, sizeof s->region, "us-east-1");
    key_set_text(&s->name, SPAN("a name"));
    if (type == KEY_STORE_CLOUDHSM) {
        key_set_text(&s->cluster_id, SPAN("cluster-2a3b4c5defg"));
        key_set_text(&s->trust_anchor, SPAN("PEM"));
        assert_true(secret_copy(&s->password, "password", 8));
        return s;
    }
    key_set_text(&s->proxy.endpoint, SPAN("https://proxy.example.com"));
    key_set_text(&s->proxy.path, SPAN("/kms/xks/v1"));
    key_set_text(&s->proxy.vpc_service, SPAN("service"));
    key_set_text(&s->proxy.access_key_id, SPAN("ID"));
    assert_true(secret_copy(&s->proxy.secret_key, "the secret key", 14));
    return s;
}

static void same_text(const char *a, const char *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a)
        assert_string_equal(a, b);
}

static void check_same(const struct key_store *a, const struct key_store *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->account, b->account);
    assert_string_equal(a->region, b->region);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->created_ns, b->created_ns);
    assert_int_equal(a->until_ns, b->until_ns);
    same_text(a->name, b->name);
    same_text(a->cluster_id, b->cluster_id);
    same_text(a->trust_anchor, b->trust_anchor);
    same_text(a->proxy.endpoint, b->proxy.endpoint);
    same_text(a->proxy.path, b->proxy.path);
    same_text(a->proxy.vpc_service, b->proxy.vpc_service);
    same_text(a->proxy.vpc_owner, b->proxy.vpc_owner);
    same_text(a->proxy.access_key_id, b->proxy.access_key_id);
    assert_true(span_eq(secret_span(&a->password), secret_span(&b->password)));
    assert_true(span_eq(secret_span(&a->proxy.secret_key), secret_span(&b->proxy.secret_key)));
}

static void round_trip(enum key_store_type type)
{
    char name_bytes[KEY_STORE_RECORD_SIZE], why[256];
    struct root_key *root = root_key_open(NULL, true, why, sizeof why);
    struct root_key *other_root = root_key_open(NULL, true, why, sizeof why);
    struct key_store *s = new_store(type);
    struct span name = key_store_record_name(s, name_bytes);
    struct buf b;
    buf_init(&b, 4096);
    key_store_encode(s, root, &b);
    assert_null(memmem(b.data, b.len, "password", 8));
    assert_null(memmem(b.data, b.len, "the secret key", 14));
    struct key_store *again = key_store_decode(name, buf_span(&b), root);
    assert_non_null(again);
    check_same(s, again);
    key_store_free(again);
    assert_null(key_store_decode(name, buf_span(&b), other_root));
    assert_null(key_store_decode(SPAN("111122223333/us-east-1/cks-0123456789abcdef1"), buf_span(&b), root));
    assert_null(key_store_decode(SPAN("111122223333/us-east-1"), buf_span(&b), root));
    for (size_t n = 0; n < b.len; n++)
        assert_null(key_store_decode(name, (struct span){b.data, n}, root));
    buf_done(&b);
    key_store_free(s);
    root_key_free(root);
    root_key_free(other_root);
}

static void test_of_a_cluster(void **state)
{
    (void)state;
    round_trip(KEY_STORE_CLOUDHSM);
}

static void test_of_a_proxy(void **state)
{
    (void)state;
    round_trip(KEY_STORE_EXTERNAL);
}

static void test_keys_by_external_id(void **state)
{
    (void)state;
    struct key_store *s = new_store(KEY_STORE_EXTERNAL);
    struct key keys[3] = {{.xks_key_id = (char[]){"b"}}, {.xks_key_id = (char[]){"c"}}, {.xks_key_id = (char[]){"a"}}};
    for (size_t i = 0; i < 3; i++)
        key_store_add_key(s, &keys[i]);
    assert_ptr_equal(key_store_external_key(s, SPAN("c")), &keys[1]);
    assert_null(key_store_external_key(s, SPAN("d")));
    key_store_remove_key(s, &keys[1]);
    assert_null(key_store_external_key(s, SPAN("c")));
    assert_int_equal(s->keys.n, 2);
    key_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_cluster),
        cmocka_unit_test(test_of_a_proxy),
        cmocka_unit_test(test_keys_by_external_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
