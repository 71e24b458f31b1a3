// ddbd's side of handing its events to kmsd: batches out of its own journal, at least once, in order. The caller sends
// them; what arrives twice is dropped on the other side (ship_accept.c).
#include "common/trail/ship.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/trail/journal_read.h"
#include "common/trail/replace.h"

#define EVENT_OVERHEAD 192 // of one line, beside its record and Region
#define STATE_MAX (1 << 20)

struct ship {
    struct journal *journal;
    char path[PATH_MAX];
    pthread_mutex_t lock; // done
    struct journal_positions done;
    struct journal_position batch; // the end of the batch that is under way
};

static bool state_read(struct ship *s, char *why, size_t why_size)
{
    if (access(s->path, F_OK) != 0)
        return true;
    json_t *doc = json_read_file(s->path, STATE_MAX, why, why_size);
    if (!doc)
        return false;
    // Another journal's positions mean nothing in this one: its events are all new.
    bool same = span_is(json_span(json_object_get(doc, "journal")), journal_id(s->journal));
    bool ok = json_is_string(json_object_get(doc, "journal")) &&
              (!same || journal_positions_read(&s->done, json_object_get(doc, "positions")));
    if (!ok)
        snprintf(why, why_size, "%s: not a shipper's state", s->path);
    json_decref(doc);
    return ok;
}

static bool state_write(struct ship *s, char *why, size_t why_size)
{
    struct buf text;
    struct json_write w;
    buf_init(&text, STATE_MAX);
    json_write_init(&w, &text);
    json_obj_begin(&w);
    json_kcstr(&w, "journal", journal_id(s->journal));
    json_key(&w, "positions");
    journal_positions_write(&w, &s->done);
    json_obj_end(&w);
    bool ok = buf_ok(&text) && trail_replace(s->path, buf_span(&text), 0600);
    if (!ok)
        snprintf(why, why_size, "%s: %s", s->path, strerror(errno));
    buf_done(&text);
    return ok;
}

struct ship *ship_new(struct journal *j, const char *state_dir, char *why, size_t why_size)
{
    struct ship *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    s->journal = j;
    pthread_mutex_init(&s->lock, NULL);
    bool fits = snprintf(s->path, sizeof s->path, "%s/shipped.json", state_dir) < (int)sizeof s->path;
    if (!fits)
        snprintf(why, why_size, "%s: %s", state_dir, strerror(ENAMETOOLONG));
    if (fits && state_read(s, why, why_size)) {
        journal_forget(j, &s->done); // what a crash left between the two steps of ship_done()
        return s;
    }
    ship_free(s);
    return NULL;
}

void ship_free(struct ship *s)
{
    if (!s)
        return;
    journal_positions_done(&s->done);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const char *ship_origin(const struct ship *s)
{
    return journal_id(s->journal);
}

static void put_event(struct buf *body, const struct journal_entry *e)
{
    struct json_write w;
    json_write_init(&w, body);
    json_obj_begin(&w);
    json_ki64(&w, "sequence", (int64_t)e->sequence);
    json_kcstr(&w, "account", e->account);
    json_kcstr(&w, "region", e->region);
    json_ki64(&w, "time", e->time_ns);
    json_key(&w, "record");
    json_raw(&w, e->json);
    json_obj_end(&w);
    buf_append_char(body, '\n');
}

// Lines from one segment until the body is full. SHIP_BATCH once there is one.
static enum ship_next fill(struct ship *s, struct journal_reader *r, size_t max_bytes, struct buf *body, char *why,
                           size_t why_size)
{
    struct journal_entry e;
    struct journal_read_at at;
    enum ship_next result = SHIP_EMPTY;
    for (;;) {
        enum journal_read read = journal_reader_next(r, &e, &at, why, why_size);
        if (read == JOURNAL_READ_FAILED && result == SHIP_EMPTY)
            return SHIP_FAILED;
        size_t size = e.json.n + EVENT_OVERHEAD;
        if (read != JOURNAL_READ_RECORD || (result == SHIP_BATCH && body->len + size > max_bytes))
            return result;
        put_event(body, &e);
        if (!buf_ok(body)) {
            snprintf(why, why_size, "the batch does not fit into its buffer");
            return SHIP_FAILED;
        }
        s->batch.offset = at.next;
        result = SHIP_BATCH;
    }
}

static void begin_batch(struct ship *s, const struct journal_range *range, struct buf *body)
{
    s->batch = (struct journal_position){.segment = range->segment};
    memcpy(s->batch.writer, range->writer, sizeof s->batch.writer);
    buf_reset(body, SIZE_MAX);
    buf_appendf(body, "{\"origin\":\"%s/%s\"}\n", journal_id(s->journal), range->writer);
}

static bool waiting(struct ship *s, struct journal_range **ranges, size_t *n)
{
    pthread_mutex_lock(&s->lock);
    bool ok = journal_ranges(s->journal, &s->done, ranges, n);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

enum ship_next ship_next(struct ship *s, size_t max_bytes, struct buf *body, char *why, size_t why_size)
{
    struct journal_range *ranges;
    size_t n;
    enum ship_next result = SHIP_EMPTY;
    s->batch = (struct journal_position){0};
    if (!waiting(s, &ranges, &n)) {
        snprintf(why, why_size, "out of memory");
        return SHIP_FAILED;
    }
    if (n > 0) {
        struct journal_reader *r = journal_reader_open(s->journal, &ranges[0], why, why_size);
        begin_batch(s, &ranges[0], body);
        result = r ? fill(s, r, max_bytes, body, why, why_size) : SHIP_FAILED;
        journal_reader_close(r);
    }
    free(ranges);
    return result;
}

bool ship_done(struct ship *s, char *why, size_t why_size)
{
    if (s->batch.offset == 0)
        return true;
    pthread_mutex_lock(&s->lock);
    bool ok = journal_positions_set(&s->done, &s->batch);
    pthread_mutex_unlock(&s->lock);
    s->batch = (struct journal_position){0};
    if (!ok) {
        snprintf(why, why_size, "out of memory");
        return false;
    }
    // Only what the disk knows to be done may go.
    if (!state_write(s, why, why_size))
        return false;
    journal_forget(s->journal, &s->done);
    return true;
}

size_t ship_pending(struct ship *s)
{
    struct journal_range *ranges;
    size_t n, bytes = 0;
    if (!waiting(s, &ranges, &n))
        return 1;
    for (size_t i = 0; i < n; i++)
        bytes += (size_t)(ranges[i].to - ranges[i].from);
    free(ranges);
    return bytes;
}
