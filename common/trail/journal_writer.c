// One thread's way into the journal: room ahead, staging, and one write per turn. Called by rpc's workers (and for
// events that were handed over); holds the journal's lock only while it changes segments.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/trail/journal_internal.h"

#define RESERVE_STEP (UINT64_C(1) << 20)
#define TYPICAL_RECORD (UINT64_C(8) << 10)
#define STAGED_MAX (SIZE_MAX / 4)
#define STAGED_KEEP (UINT64_C(256) << 10)

static bool name_valid(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < JOURNAL_WRITER_SIZE && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == n;
}

struct journal_writer *journal_writer_new(struct journal *j, const char *name, char *why, size_t why_size)
{
    struct journal_writer *w = name_valid(name) ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        snprintf(why, why_size, "journal writer \"%s\": %s", name, name_valid(name) ? "out of memory" : "not a name");
        return NULL;
    }
    w->journal = j;
    memcpy(w->name, name, strlen(name));
    w->sequence = j->epoch << JOURNAL_SEQUENCE_SHIFT;
    buf_init(&w->staged, STAGED_MAX);
    return w;
}

// Removes what a failed write left behind the last whole record. The reserved space goes with it.
static bool roll_back(struct journal_writer *w)
{
    if (ftruncate(w->segment->fd, (off_t)w->at) != 0)
        return false;
    w->reserved = w->at;
    w->must_roll_back = false;
    return true;
}

// Ends the segment: its exact size, on the disk, whatever the mode (so that only a newest segment can be torn).
static bool seal(struct journal_writer *w)
{
    struct journal_segment *s = w->segment;
    if (!s)
        return true;
    if (ftruncate(s->fd, (off_t)w->at) != 0 || fdatasync(s->fd) != 0)
        return false;
    pthread_mutex_lock(&w->journal->lock);
    close(s->fd);
    s->fd = -1;
    s->sealed = true;
    atomic_store(&s->synced, w->at);
    pthread_mutex_unlock(&w->journal->lock);
    w->segment = NULL;
    return true;
}

static bool write_at(int fd, struct span bytes, uint64_t at)
{
    while (bytes.n) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = (struct span){bytes.p + n, bytes.n - (size_t)n};
        at += (uint64_t)n;
    }
    return true;
}

// Overwriting needs no change of the file's map, and so spares fdatasync() its second round trip to the disk. Measured,
// eight records a flush: 116 us instead of 159. Only an improvement: without memory for it, it is left out.
static bool write_zeros(int fd, uint64_t from, uint64_t to)
{
    size_t n = (size_t)(to - from);
    char *zeros = calloc(1, n);
    bool ok = !zeros || write_at(fd, (struct span){zeros, n}, from);
    int failure = errno;
    free(zeros);
    errno = failure;
    return ok;
}

// Room up to `to`, written once when every flush is synced.
static bool allocate(const struct journal *j, int fd, uint64_t from, uint64_t to)
{
    int failure;
    do
        failure = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
    while (failure == EINTR);
    errno = failure;
    return failure == 0 && (j->sync != TRAIL_SYNC_ALWAYS || write_zeros(fd, from, to));
}

// The file with its head and first reserved space, known to the folder.
static bool create(struct journal_writer *w, struct journal_segment *s, const char *path)
{
    char head[JOURNAL_HEAD_SIZE];
    struct journal_head names = {.number = s->number};
    memcpy(names.writer, w->name, sizeof names.writer);
    journal_head_write(head, &names);
    s->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0)
        return false;
    bool durable = w->journal->sync != TRAIL_SYNC_NEVER;
    if (allocate(w->journal, s->fd, 0, RESERVE_STEP) && write_at(s->fd, (struct span){head, sizeof head}, 0) &&
        (!durable || (fdatasync(s->fd) == 0 && file_sync_dir(w->journal->dir))))
        return true;
    int failure = errno;
    close(s->fd);
    unlink(path);
    errno = failure;
    return false;
}

static bool begin_segment(struct journal_writer *w)
{
    struct journal *j = w->journal;
    char path[PATH_MAX];
    struct journal_segment *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    pthread_mutex_lock(&j->lock);
    s->number = j->epoch << JOURNAL_EPOCH_SHIFT | ++j->segments_made;
    pthread_mutex_unlock(&j->lock);
    memcpy(s->writer, w->name, sizeof s->writer);
    atomic_init(&s->flushed, JOURNAL_HEAD_SIZE);
    atomic_init(&s->synced, JOURNAL_HEAD_SIZE);
    if (!journal_segment_path(j, w->name, s->number, path) || !create(w, s, path)) {
        int failure = errno;
        free(s);
        errno = failure;
        return false;
    }
    pthread_mutex_lock(&j->lock);
    journal_segment_insert(j, s);
    pthread_mutex_unlock(&j->lock);
    w->segment = s;
    w->at = JOURNAL_HEAD_SIZE;
    w->reserved = RESERVE_STEP;
    w->retire = false;
    return true;
}

// A segment that can be written behind w->at.
static bool ready(struct journal_writer *w)
{
    if (w->must_roll_back && !roll_back(w))
        return false;
    if (w->segment && (w->staged.len || (w->at < w->journal->segment_size && !w->retire)))
        return true;
    return seal(w) && begin_segment(w);
}

bool journal_reserve(struct journal_writer *w)
{
    // Not every call can have the largest record; one may, and those before it in this turn a typical one.
    uint64_t need = w->at + w->staged.len + JOURNAL_RECORD_MAX + ++w->promised * TYPICAL_RECORD;
    if (w->segment && need <= w->reserved && w->at < w->journal->segment_size && !w->must_roll_back && !w->retire)
        return true;
    w->promised--;
    if (!ready(w))
        return false;
    need = w->at + w->staged.len + JOURNAL_RECORD_MAX + (w->promised + 1) * TYPICAL_RECORD;
    if (need > w->reserved) {
        uint64_t to = (need + RESERVE_STEP - 1) / RESERVE_STEP * RESERVE_STEP;
        if (!allocate(w->journal, w->segment->fd, w->reserved, to))
            return false;
        w->reserved = to;
    }
    w->promised++;
    return true;
}

bool journal_append(struct journal_writer *w, const struct journal_entry *e)
{
    if (!journal_entry_valid(e)) {
        errno = EINVAL;
        return false;
    }
    struct journal_entry own = *e;
    if (e->origin.n == 0)
        own.sequence = ++w->sequence;
    size_t n = journal_record_size(e);
    char *to = buf_reserve(&w->staged, n);
    if (!to) {
        w->staged.failed = false; // what is staged stays; only this record has no room
        errno = ENOMEM;
        return false;
    }
    journal_record_write(to, &own, w->segment ? atomic_load_explicit(&w->segment->synced, memory_order_relaxed) : 0);
    buf_commit(&w->staged, n);
    if (e->origin.n)
        journal_origin_staged(w, e->origin, e->sequence);
    if (w->promised)
        w->promised--;
    return true;
}

void journal_on_written(struct journal_writer *w, void (*written)(void *arg), void *arg)
{
    w->written = written;
    w->written_arg = arg;
}

size_t journal_staged(const struct journal_writer *w)
{
    return w->staged.len;
}

static bool write_staged(struct journal_writer *w)
{
    if (!ready(w))
        return false;
    struct journal_segment *s = w->segment;
    bool written = write_at(s->fd, buf_span(&w->staged), w->at);
    bool synced = written && w->journal->sync == TRAIL_SYNC_ALWAYS && fdatasync(s->fd) == 0;
    if (!written || (!synced && w->journal->sync == TRAIL_SYNC_ALWAYS)) {
        int failure = errno;
        w->retire = written; // after a failed sync the kernel may have dropped what it could not write
        w->must_roll_back = true;
        roll_back(w);
        errno = failure;
        return false;
    }
    w->at += w->staged.len;
    if (w->reserved < w->at)
        w->reserved = w->at;
    if (synced)
        atomic_store_explicit(&s->synced, w->at, memory_order_release);
    if (w->written)
        w->written(w->written_arg);
    atomic_store_explicit(&s->flushed, w->at, memory_order_release);
    return true;
}

bool journal_flush(struct journal_writer *w)
{
    w->promised = 0;
    if (w->staged.len == 0) {
        journal_origin_settle(w, true); // claims without anything new
        return true;
    }
    bool ok = write_staged(w);
    int failure = errno;
    buf_reset(&w->staged, STAGED_KEEP);
    journal_origin_settle(w, ok);
    errno = failure;
    return ok;
}

void journal_writer_free(struct journal_writer *w)
{
    if (!w)
        return;
    journal_origin_settle(w, false); // never flushed: never promised to anyone
    if (w->must_roll_back)
        roll_back(w);
    seal(w); // when it fails, the next start mends the segment
    buf_done(&w->staged);
    free(w);
}
