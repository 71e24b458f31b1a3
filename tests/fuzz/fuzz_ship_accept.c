// A batch handed over by another daemon: refused, or filed as events whose records are JSON and lie under their account
// and Region; and the same batch again brings nothing new.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/trail/journal_internal.h"
#include "common/trail/ship.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Every staged record: what is filed is valid.
static size_t check_staged(const struct journal_writer *w)
{
    struct span rest = buf_span(&w->staged);
    struct journal_parse record;
    size_t n = 0;
    for (; rest.n; rest.p += record.size, rest.n -= record.size, n++) {
        assert(journal_record_parse(rest, &record) == JOURNAL_PARSED);
        json_t *doc = json_read(record.entry.json, NULL, 0);
        assert(json_is_object(doc));
        assert(span_is(json_span(json_object_get(doc, "recipientAccountId")), record.entry.account));
        assert(span_is(json_span(json_object_get(doc, "awsRegion")), record.entry.region));
        assert(!span_is(json_span(json_object_get(doc, "eventSource")), "kms.amazonaws.com"));
        json_decref(doc);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    // A journal without a folder: nothing is ever flushed, and one whose room is always there.
    struct journal j = {.epoch = 1, .segment_size = UINT64_MAX};
    struct journal_segment segment = {.fd = -1};
    struct journal_writer w = {.journal = &j, .name = "w0", .segment = &segment, .reserved = UINT64_MAX};
    struct span body = {(const char *)data, size};
    char why[256];
    size_t first = 0, again = 0;
    pthread_mutex_init(&j.lock, NULL);
    buf_init(&w.staged, 64 << 20);
    enum ship_verdict verdict = ship_accept(&w, body, &first, why, sizeof why);
    assert(check_staged(&w) == first);
    assert(verdict == SHIP_ACCEPTED || first == 0);
    if (ship_accept(&w, body, &again, why, sizeof why) == SHIP_ACCEPTED)
        assert(again == 0);
    buf_done(&w.staged);
    journal_origins_free(&j);
    pthread_mutex_destroy(&j.lock);
    return 0;
}
