// Puts a journal in order after a crash, before anything is written to it: journal_open()'s part. Every record is
// checked. Only a write that never finished may be cut off, and only at the end of a writer's newest segment; anything
// else that is wrong stops the daemon, because a trail that silently lost a record is worse than none.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/trail/journal_internal.h"

static bool failed(char *why, size_t why_size, const char *path, const char *what)
{
    snprintf(why, why_size, "%s: %s", path, what);
    return false;
}

// "<writer>-<16 digits>.log". False: some other file, which is left alone.
static bool parse_name(const char *name, char writer[JOURNAL_WRITER_SIZE], uint64_t *number)
{
    const char *dash = strchr(name, '-');
    size_t n = dash ? (size_t)(dash - name) : 0;
    if (n == 0 || n >= JOURNAL_WRITER_SIZE || strlen(dash) != 1 + 16 + 4 || strcmp(dash + 17, ".log") != 0 ||
        strspn(dash + 1, "0123456789") != 16)
        return false;
    memset(writer, 0, JOURNAL_WRITER_SIZE);
    memcpy(writer, name, n);
    *number = strtoull(dash + 1, NULL, 10);
    return true;
}

static bool list_segments(struct journal *j, char *why, size_t why_size)
{
    DIR *dir = opendir(j->dir);
    if (!dir)
        return failed(why, why_size, j->dir, strerror(errno));
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(dir));) {
        struct journal_segment found = {.fd = -1, .sealed = true};
        if (!parse_name(entry->d_name, found.writer, &found.number))
            continue;
        struct journal_segment *s = malloc(sizeof *s);
        ok = s || failed(why, why_size, j->dir, "out of memory");
        if (s) {
            *s = found;
            journal_segment_insert(j, s);
        }
    }
    closedir(dir);
    return ok;
}

static bool newest_of_writer(const struct journal_segment *s)
{
    for (const struct journal_segment *later = s->next; later; later = later->next)
        if (strcmp(later->writer, s->writer) == 0)
            return false;
    return true;
}

// Walks the records. *end is where the last good one ends. False: out of memory.
static bool walk(struct journal *j, struct span bytes, size_t *end)
{
    struct journal_parse record;
    size_t at = JOURNAL_HEAD_SIZE;
    while (at < bytes.n && journal_record_parse((struct span){bytes.p + at, bytes.n - at}, &record) == JOURNAL_PARSED) {
        if (record.entry.origin.n && !journal_origin_restore(j, record.entry.origin, record.entry.sequence))
            return false;
        at += record.size;
    }
    *end = at;
    return true;
}

static bool damaged(char *why, size_t why_size, const char *path, size_t at)
{
    snprintf(
        why, why_size,
        "%s: damaged record at offset %zu; the file was left as it is: restore it, or move it away to go on without",
        path, at);
    return false;
}

// *end: the size that the segment must have; 0: it never got its head and holds nothing.
static bool check(struct journal *j, const struct journal_segment *s, struct span bytes, const char *path, size_t *end,
                  char *why, size_t why_size)
{
    struct journal_head head;
    bool newest = newest_of_writer(s);
    *end = 0;
    if (!journal_head_read(bytes, &head)) {
        size_t behind = JOURNAL_HEAD_SIZE;
        while (behind < bytes.n && bytes.p[behind] == 0)
            behind++;
        return behind >= bytes.n || damaged(why, why_size, path, 0);
    }
    if (head.number != s->number || strcmp(head.writer, s->writer) != 0)
        return failed(why, why_size, path, "the head names another segment");
    if (!walk(j, bytes, end))
        return failed(why, why_size, path, "out of memory");
    if (*end == bytes.n)
        return true;
    if (!newest || journal_tail_judge(bytes, *end) == JOURNAL_TAIL_DAMAGED)
        return damaged(why, why_size, path, *end);
    return true;
}

// Whole, synced and without reserved space: as a finished segment is, and as every older one already was.
static bool mend(int fd, const struct journal_segment *s, size_t size, size_t end)
{
    return (size == end && !newest_of_writer(s)) || (ftruncate(fd, (off_t)end) == 0 && fsync(fd) == 0);
}

static bool recover_open(struct journal *j, struct journal_segment *s, int fd, const char *path, char *why,
                         size_t why_size)
{
    struct stat st;
    size_t end = 0;
    if (fstat(fd, &st) != 0)
        return failed(why, why_size, path, strerror(errno));
    size_t size = (size_t)st.st_size;
    if (size > 0) {
        char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            return failed(why, why_size, path, strerror(errno));
        bool ok = check(j, s, (struct span){p, size}, path, &end, why, why_size);
        munmap(p, size);
        if (!ok)
            return false;
    }
    if (end > 0 && !mend(fd, s, size, end))
        return failed(why, why_size, path, strerror(errno));
    atomic_init(&s->flushed, end);
    atomic_init(&s->synced, end);
    return true;
}

static bool recover_segment(struct journal *j, struct journal_segment *s, char *why, size_t why_size)
{
    char path[PATH_MAX];
    int fd = journal_segment_path(j, s->writer, s->number, path) ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return failed(why, why_size, j->dir, strerror(errno));
    bool ok = recover_open(j, s, fd, path, why, why_size);
    close(fd);
    return ok;
}

bool journal_recover(struct journal *j, char *why, size_t why_size)
{
    if (!list_segments(j, why, why_size))
        return false;
    for (struct journal_segment *s = j->segments; s; s = s->next)
        if (!recover_segment(j, s, why, why_size))
            return false;
    // Segments without a record serve nobody; their numbers are not used again.
    struct journal_positions none = {0};
    journal_forget(j, &none);
    return true;
}
