// kmsd's side of the hand-over: reads a batch that ddbd sent, believes nothing of it, and files what is new into kmsd's
// own journal. Called by kmsd's endpoint, which has checked the service's signature. A batch is filed whole or not at
// all: everything is read before the first event is staged.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/trail/journal_format.h"
#include "common/trail/ship.h"

#define OWN_SOURCE "kms.amazonaws.com"

struct shipped {
    struct journal_entry entry; // json is set last: the texts move while they are collected
    size_t json_at, json_n;
};

struct batch {
    struct span origin;
    json_t *head;
    struct shipped *events;
    size_t n, room;
    struct buf texts; // the records, written anew: what was checked is what is filed
};

static void batch_done(struct batch *b)
{
    json_decref(b->head);
    free(b->events);
    buf_done(&b->texts);
}

static bool malformed(char *why, size_t why_size, size_t line, const char *what)
{
    snprintf(why, why_size, "line %zu: %s", line, what);
    return false;
}

// The next line, without its end. False: no more.
static bool next_line(struct span *rest, struct span *line)
{
    if (rest->n == 0)
        return false;
    const char *end = memchr(rest->p, '\n', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n, used = end ? n + 1 : n;
    *line = (struct span){rest->p, n};
    *rest = (struct span){rest->p + used, rest->n - used};
    return true;
}

static bool read_head(struct batch *b, struct span line, char *why, size_t why_size)
{
    char reason[96];
    b->head = json_read(line, reason, sizeof reason);
    if (!b->head)
        return malformed(why, why_size, 1, reason);
    b->origin = json_span(json_object_get(b->head, "origin"));
    // It becomes a C string and a member of a state file.
    bool ok = b->origin.n > 0 && b->origin.n <= JOURNAL_ORIGIN_MAX;
    for (size_t i = 0; ok && i < b->origin.n; i++)
        ok = b->origin.p[i] > ' ' && b->origin.p[i] < 0x7f;
    return ok || malformed(why, why_size, 1, "no origin");
}

static bool copy_text(char *to, size_t size, const json_t *text)
{
    struct span s = json_span(text);
    if (s.n == 0 || s.n >= size)
        return false;
    memcpy(to, s.p, s.n);
    return true;
}

static bool says(const json_t *record, const char *member, const char *expected)
{
    return span_is(json_span(json_object_get(record, member)), expected);
}

static const char *check_record(const struct journal_entry *e, const json_t *record)
{
    struct span source = json_span(json_object_get(record, "eventSource"));
    if (!json_is_object(record))
        return "the record is not an object";
    if (!says(record, "recipientAccountId", e->account) || !says(record, "awsRegion", e->region))
        return "the record is of another account or Region";
    if (source.n == 0 || span_is(source, OWN_SOURCE))
        return "the record's eventSource is not the sender's";
    if (json_span(json_object_get(record, "eventID")).n == 0)
        return "the record has no eventID";
    return NULL;
}

// The members of one line. NULL, or what is wrong with them.
static const char *read_members(struct journal_entry *e, const json_t *doc)
{
    json_int_t sequence = json_integer_value(json_object_get(doc, "sequence"));
    json_int_t time = json_integer_value(json_object_get(doc, "time"));
    *e = (struct journal_entry){.sequence = (uint64_t)sequence, .time_ns = time, .json = SPAN("{}")};
    if (sequence <= 0 || !json_is_integer(json_object_get(doc, "time")))
        return "no sequence or time";
    if (!copy_text(e->account, sizeof e->account, json_object_get(doc, "account")) ||
        !copy_text(e->region, sizeof e->region, json_object_get(doc, "region")) || !journal_entry_valid(e))
        return "no valid account and Region";
    return check_record(e, json_object_get(doc, "record"));
}

static struct shipped *add_event(struct batch *b)
{
    if (b->n == b->room) {
        size_t room = b->room ? b->room * 2 : 64;
        struct shipped *events = realloc(b->events, room * sizeof *events);
        if (!events)
            return NULL;
        b->events = events;
        b->room = room;
    }
    return &b->events[b->n++];
}

static const char *keep_event(struct batch *b, const struct journal_entry *e, const json_t *record)
{
    struct json_write w;
    uint64_t before = b->n ? b->events[b->n - 1].entry.sequence : 0;
    struct shipped *event = add_event(b);
    if (e->sequence <= before)
        return "the sequence does not grow";
    if (!event)
        return "out of memory";
    *event = (struct shipped){.entry = *e, .json_at = b->texts.len};
    json_write_init(&w, &b->texts);
    json_value(&w, record);
    event->json_n = b->texts.len - event->json_at;
    return buf_ok(&b->texts) && event->json_n <= JOURNAL_JSON_MAX ? NULL : "the record is too large";
}

static bool read_event(struct batch *b, struct span line, size_t number, char *why, size_t why_size)
{
    struct journal_entry e;
    char reason[96];
    json_t *doc = json_read(line, reason, sizeof reason);
    if (!doc)
        return malformed(why, why_size, number, reason);
    const char *wrong = json_is_object(doc) ? read_members(&e, doc) : "not an object";
    if (!wrong)
        wrong = keep_event(b, &e, json_object_get(doc, "record"));
    json_decref(doc);
    return !wrong || malformed(why, why_size, number, wrong);
}

static bool read_batch(struct batch *b, struct span body, char *why, size_t why_size)
{
    struct span line;
    if (body.n > SHIP_BATCH_MAX + JOURNAL_RECORD_MAX || !next_line(&body, &line))
        return malformed(why, why_size, 1, body.n ? "the batch is too large" : "the batch is empty");
    if (!read_head(b, line, why, why_size))
        return false;
    for (size_t number = 2; next_line(&body, &line); number++)
        if (!read_event(b, line, number, why, why_size))
            return false;
    return true;
}

// Stages what is new. An event that could not be staged ends the batch; those before it are good, and the sender's next
// try finds them seen.
static enum ship_verdict file_batch(struct journal_writer *w, struct batch *b, size_t *accepted, char *why,
                                    size_t why_size)
{
    for (size_t i = 0; i < b->n; i++) {
        struct journal_entry *e = &b->events[i].entry;
        e->origin = b->origin;
        e->json = (struct span){b->texts.data + b->events[i].json_at, b->events[i].json_n};
        enum journal_origin seen = journal_origin_claim(w, b->origin, e->sequence);
        if (seen == JOURNAL_ORIGIN_SEEN)
            continue;
        if (seen != JOURNAL_ORIGIN_NEW || !journal_append(w, e)) {
            snprintf(why, why_size,
                     seen == JOURNAL_ORIGIN_BUSY ? "another worker is filing this origin" : "out of memory");
            return SHIP_LATER;
        }
        ++*accepted;
    }
    return SHIP_ACCEPTED;
}

enum ship_verdict ship_accept(struct journal_writer *w, struct span body, size_t *accepted, char *why, size_t why_size)
{
    struct batch b = {0};
    enum ship_verdict verdict = SHIP_MALFORMED;
    *accepted = 0;
    buf_init(&b.texts, (size_t)SHIP_BATCH_MAX * 2 + JOURNAL_RECORD_MAX);
    if (read_batch(&b, body, why, why_size)) {
        verdict = SHIP_LATER;
        if (journal_reserve(w))
            verdict = file_batch(w, &b, accepted, why, why_size);
        else
            snprintf(why, why_size, "the journal has no room");
    }
    batch_done(&b);
    return verdict;
}
