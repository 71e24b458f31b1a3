// Reading the journal back: one segment at a time, every record checked. Used by the deliverer and the shipper.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/trail/journal_internal.h"

#define READ_AHEAD (JOURNAL_RECORD_MAX + (64 << 10))

struct journal_reader {
    int fd;
    uint64_t at, to; // next record, end of the range
    uint64_t base;   // file offset of buffer[0]
    size_t filled;
    char path[PATH_MAX];
    char buffer[READ_AHEAD];
};

struct journal_reader *journal_reader_open(struct journal *j, const struct journal_range *range, char *why,
                                           size_t why_size)
{
    struct journal_reader *r = malloc(sizeof *r);
    if (!r) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    r->at = r->base = range->from;
    r->to = range->to;
    r->filled = 0;
    r->fd = journal_segment_path(j, range->writer, range->segment, r->path) ? open(r->path, O_RDONLY | O_CLOEXEC) : -1;
    if (r->fd < 0) {
        snprintf(why, why_size, "%s: %s", r->path, strerror(errno));
        free(r);
        return NULL;
    }
    return r;
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    close(r->fd);
    free(r);
}

static bool read_at(struct journal_reader *r, uint64_t at, char *out, size_t n, char *why, size_t why_size)
{
    while (n) {
        ssize_t got = pread(r->fd, out, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            snprintf(why, why_size, "%s: at offset %" PRIu64 ": %s", r->path, at,
                     got < 0 ? strerror(errno) : "the file ends too early");
            return false;
        }
        out += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

bool journal_reader_copy(struct journal_reader *r, uint64_t at, void *out, size_t n, char *why, size_t why_size)
{
    return read_at(r, at, out, n, why, why_size);
}

// The buffer from the next record on, as much as fits of the range.
static bool fill(struct journal_reader *r, char *why, size_t why_size)
{
    size_t used = (size_t)(r->at - r->base), left = r->filled - used;
    memmove(r->buffer, r->buffer + used, left);
    r->base = r->at;
    r->filled = left;
    uint64_t rest = r->to - (r->base + left);
    size_t n = rest < sizeof r->buffer - left ? (size_t)rest : sizeof r->buffer - left;
    if (!read_at(r, r->base + left, r->buffer + left, n, why, why_size))
        return false;
    r->filled += n;
    return true;
}

enum journal_read journal_reader_next(struct journal_reader *r, struct journal_entry *e, struct journal_read_at *at,
                                      char *why, size_t why_size)
{
    struct journal_parse record;
    if (r->at >= r->to)
        return JOURNAL_READ_END;
    enum journal_parsed parsed = JOURNAL_MORE;
    for (int again = 0; again < 2 && parsed == JOURNAL_MORE; again++) {
        size_t used = (size_t)(r->at - r->base);
        if (again && !fill(r, why, why_size))
            return JOURNAL_READ_FAILED;
        used = again ? 0 : used;
        parsed = journal_record_parse((struct span){r->buffer + used, r->filled - used}, &record);
    }
    if (parsed != JOURNAL_PARSED) {
        snprintf(why, why_size, "%s: damaged record at offset %" PRIu64, r->path, r->at);
        return JOURNAL_READ_FAILED;
    }
    *e = record.entry;
    at->next = r->at + record.size;
    at->json_at = at->next - record.entry.json.n;
    r->at = at->next;
    return JOURNAL_READ_RECORD;
}
