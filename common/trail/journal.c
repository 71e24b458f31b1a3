// The journal's folder: opening (identity, epoch), the list of segments, syncing, and what consumers may read and
// forget. Called by the daemons' start and by the trail's consumers; writing is journal_writer.c, mending
// journal_recover.c.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/base/file.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/rng.h"
#include "common/trail/journal_internal.h"
#include "common/trail/replace.h"

bool journal_segment_path(const struct journal *j, const char *writer, uint64_t number, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s-%016" PRIu64 ".log", j->dir, writer, number);
    if (n >= 0 && n < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

void journal_segment_insert(struct journal *j, struct journal_segment *segment)
{
    struct journal_segment **at = &j->segments;
    while (*at && (*at)->number < segment->number)
        at = &(*at)->next;
    segment->next = *at;
    *at = segment;
}

// {"journal": id, "epoch": n}: who this journal is, and how many times it was opened. Numbers made from the epoch are
// never used twice, whatever was deleted meanwhile.
static bool identity_read(struct journal *j, const char *path, char *why, size_t why_size)
{
    json_t *doc = json_read_file(path, 4096, why, why_size);
    if (!doc)
        return false;
    struct span id = json_span(json_object_get(doc, "journal"));
    json_int_t epoch = json_integer_value(json_object_get(doc, "epoch"));
    unsigned char raw[(JOURNAL_ID_SIZE - 1) / 2];
    bool ok = hex_decode(id, raw, sizeof raw) && epoch > 0 && (uint64_t)epoch < JOURNAL_EPOCH_MAX;
    if (ok) {
        memcpy(j->id, id.p, id.n);
        j->epoch = (uint64_t)epoch;
    } else {
        snprintf(why, why_size, "%s: not a journal's identity", path);
    }
    json_decref(doc);
    return ok;
}

static bool identity_next(struct journal *j, const char *path, char *why, size_t why_size)
{
    struct buf text;
    struct json_write w;
    j->epoch++;
    buf_init(&text, 4096);
    json_write_init(&w, &text);
    json_obj_begin(&w);
    json_kcstr(&w, "journal", j->id);
    json_ki64(&w, "epoch", (int64_t)j->epoch);
    json_obj_end(&w);
    bool ok = buf_ok(&text) && trail_replace(path, buf_span(&text), 0600);
    if (!ok)
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
    buf_done(&text);
    return ok;
}

static bool identify(struct journal *j, char *why, size_t why_size)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/journal.json", j->dir) >= PATH_MAX) {
        snprintf(why, why_size, "%s: %s", j->dir, strerror(ENAMETOOLONG));
        return false;
    }
    if (access(path, F_OK) == 0) {
        if (!identity_read(j, path, why, why_size))
            return false;
    } else {
        unsigned char raw[(JOURNAL_ID_SIZE - 1) / 2];
        rng_secret(raw, sizeof raw); // not an id of the trail: never from the seed, or two journals could be twins
        hex_encode(raw, sizeof raw, j->id);
        // Segments without an identity: the file was lost. A fresh identity orders them first.
        j->epoch = j->segments ? j->segments->number >> JOURNAL_EPOCH_SHIFT : 0;
        for (struct journal_segment *s = j->segments; s; s = s->next)
            j->epoch = s->number >> JOURNAL_EPOCH_SHIFT;
    }
    return identity_next(j, path, why, why_size);
}

struct journal *journal_open(const char *dir, enum trail_sync sync, char *why, size_t why_size)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j || !(j->dir = strdup(dir))) {
        snprintf(why, why_size, "out of memory");
        free(j);
        return NULL;
    }
    j->sync = sync;
    j->segment_size = JOURNAL_SEGMENT_SIZE;
    pthread_mutex_init(&j->lock, NULL);
    bool ok = file_mkdirs(dir);
    if (!ok)
        snprintf(why, why_size, "%s: %s", dir, strerror(errno));
    if (ok && journal_recover(j, why, why_size) && identify(j, why, why_size))
        return j;
    journal_close(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    while (j->segments) {
        struct journal_segment *s = j->segments;
        j->segments = s->next;
        if (s->fd >= 0)
            close(s->fd);
        free(s);
    }
    journal_origins_free(j);
    pthread_mutex_destroy(&j->lock);
    free(j->dir);
    free(j);
}

uint64_t journal_run(const struct journal *j)
{
    return j->epoch;
}

uint64_t journal_entry_run(const struct journal_entry *e)
{
    return e->sequence >> JOURNAL_SEQUENCE_SHIFT;
}

const char *journal_id(const struct journal *j)
{
    return j->id;
}

// Holds the lock while it syncs: a writer needs it only to change segments, and must not close this one meanwhile.
bool journal_sync_due(struct journal *j)
{
    bool ok = true;
    int failure = 0;
    pthread_mutex_lock(&j->lock);
    for (struct journal_segment *s = j->segments; s; s = s->next) {
        uint64_t flushed = atomic_load_explicit(&s->flushed, memory_order_acquire);
        if (s->fd < 0 || flushed == atomic_load_explicit(&s->synced, memory_order_relaxed))
            continue;
        if (fdatasync(s->fd) == 0) {
            atomic_store_explicit(&s->synced, flushed, memory_order_release);
        } else {
            failure = errno;
            ok = false;
        }
    }
    pthread_mutex_unlock(&j->lock);
    errno = failure;
    return ok;
}

// From where on a segment still waits for a consumer; its end when it does not.
static uint64_t waiting_from(const struct journal_segment *s, uint64_t flushed, const struct journal_positions *done)
{
    const struct journal_position *at = journal_positions_find(done, s->writer);
    if (!at || at->segment < s->number)
        return JOURNAL_HEAD_SIZE;
    if (at->segment > s->number || at->offset > flushed)
        return flushed;
    return at->offset;
}

bool journal_ranges(struct journal *j, const struct journal_positions *done, struct journal_range **ranges, size_t *n)
{
    size_t count = 0;
    *n = 0;
    pthread_mutex_lock(&j->lock);
    for (struct journal_segment *s = j->segments; s; s = s->next)
        count++;
    *ranges = calloc(count ? count : 1, sizeof **ranges);
    for (struct journal_segment *s = *ranges ? j->segments : NULL; s; s = s->next) {
        uint64_t to = atomic_load_explicit(&s->flushed, memory_order_acquire);
        uint64_t from = waiting_from(s, to, done);
        if (from >= to)
            continue;
        struct journal_range *r = &(*ranges)[(*n)++];
        *r = (struct journal_range){.segment = s->number, .from = from, .to = to};
        memcpy(r->writer, s->writer, sizeof r->writer);
    }
    pthread_mutex_unlock(&j->lock);
    return *ranges != NULL;
}

void journal_forget(struct journal *j, const struct journal_positions *done)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&j->lock);
    for (struct journal_segment **at = &j->segments; *at;) {
        struct journal_segment *s = *at;
        uint64_t flushed = atomic_load_explicit(&s->flushed, memory_order_acquire);
        bool gone = s->sealed && waiting_from(s, flushed, done) >= flushed &&
                    journal_segment_path(j, s->writer, s->number, path) && (unlink(path) == 0 || errno == ENOENT);
        if (gone) {
            *at = s->next;
            free(s);
        } else {
            at = &s->next;
        }
    }
    pthread_mutex_unlock(&j->lock);
}
