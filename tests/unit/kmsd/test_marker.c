// Pagination markers: the position comes back, and nothing else is accepted.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kmsd/marker.h"

static bool reads(const struct root_key *k, struct span scope, struct span text)
{
    struct buf at;
    buf_init(&at, 4096);
    bool ok = marker_read(k, scope, text, &at);
    buf_done(&at);
    return ok;
}

static void test_round_trip_and_forgery(void **state)
{
    (void)state;
    char why[256];
    struct root_key *k = root_key_open(NULL, true, why, sizeof why),
                    *other = root_key_open(NULL, true, why, sizeof why);
    struct buf text, at;
    buf_init(&text, MARKER_TEXT_MAX);
    buf_init(&at, 4096);
    assert_true(marker_write(k, SPAN("ListKeys/1"), SPAN("0a1b2c"), &text));
    assert_true(marker_read(k, SPAN("ListKeys/1"), buf_span(&text), &at));
    assert_true(span_is(buf_span(&at), "0a1b2c"));
    assert_false(reads(k, SPAN("ListKeys/2"), buf_span(&text)));
    assert_false(reads(other, SPAN("ListKeys/1"), buf_span(&text)));
    for (size_t bit = 0; bit < text.len * 8; bit++) {
        text.data[bit / 8] = (char)(text.data[bit / 8] ^ (1 << bit % 8));
        assert_false(reads(k, SPAN("ListKeys/1"), buf_span(&text)));
        text.data[bit / 8] = (char)(text.data[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t n = 0; n < text.len; n++)
        assert_false(reads(k, SPAN("ListKeys/1"), (struct span){text.data, n}));
    buf_done(&text);
    buf_done(&at);
    root_key_free(k);
    root_key_free(other);
}

static void test_longest_position_fits_the_model(void **state)
{
    (void)state;
    char why[256], position[MARKER_POSITION_MAX];
    struct root_key *k = root_key_open(NULL, true, why, sizeof why);
    struct buf text;
    for (size_t i = 0; i < sizeof position; i++)
        position[i] = 'x';
    buf_init(&text, MARKER_TEXT_MAX);
    assert_true(marker_write(k, SPAN("s"), (struct span){position, sizeof position}, &text));
    assert_true(reads(k, SPAN("s"), buf_span(&text)));
    buf_done(&text);
    root_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_and_forgery),
        cmocka_unit_test(test_longest_position_fits_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
