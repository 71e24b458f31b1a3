// Writing the log files of a plan: records copied from the journal, compressed in one go, put in place under a
// temporary name. Called by deliver.c, again with the same plan after a crash: files that are there are whole, and left
// alone.
#include <errno.h>
#include <libdeflate.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/trail/deliver_plan.h"
#include "common/trail/replace.h"

#define COMPRESSION_LEVEL 6
#define FILE_HEAD "{\"Records\":["
#define FILE_TAIL "]}"

// Readers of the plan's ranges, the one in use kept open.
struct source {
    struct journal *journal;
    const struct plan *plan;
    struct journal_reader *reader;
    size_t range;
};

// Memory that goes back to the system when it is done with: the allocator would keep it.
static char *map(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void unmap(char *p, size_t n)
{
    if (p)
        munmap(p, n);
}

static bool copy_record(struct source *s, const struct plan_record *r, char *out, char *why, size_t why_size)
{
    if (!s->reader || s->range != r->range) {
        journal_reader_close(s->reader);
        s->range = r->range;
        s->reader = journal_reader_open(s->journal, &s->plan->ranges[r->range], why, why_size);
    }
    return s->reader && journal_reader_copy(s->reader, r->json_at, out, r->json_n, why, why_size);
}

static size_t text_size(const struct plan_record *records, size_t n)
{
    size_t size = sizeof FILE_HEAD - 1 + sizeof FILE_TAIL - 1 + n - 1; // commas between
    for (size_t i = 0; i < n; i++)
        size += records[i].json_n;
    return size;
}

static bool fill_text(struct source *s, const struct plan_record *records, size_t n, char *text, char *why,
                      size_t why_size)
{
    char *at = text + sizeof FILE_HEAD - 1;
    memcpy(text, FILE_HEAD, sizeof FILE_HEAD - 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            *at++ = ',';
        if (!copy_record(s, &records[i], at, why, why_size))
            return false;
        at += records[i].json_n;
    }
    memcpy(at, FILE_TAIL, sizeof FILE_TAIL - 1);
    return true;
}

// The folders of a file, each known to the one above it before anything is put inside.
static bool make_folders(const char *trail_dir, const char *path)
{
    char folder[PATH_MAX];
    struct stat st;
    if (snprintf(folder, sizeof folder, "%s/%s", trail_dir, path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    *strrchr(folder, '/') = '\0';
    if (stat(folder, &st) == 0)
        return true;
    if (!file_mkdirs(folder))
        return false;
    for (size_t n = strlen(folder); n > strlen(trail_dir); n = strlen(folder)) {
        *strrchr(folder, '/') = '\0';
        if (!file_sync_dir(folder))
            return false;
    }
    return true;
}

static bool place(const char *trail_dir, const char *path, struct span bytes, char *why, size_t why_size)
{
    char full[PATH_MAX];
    bool ok = snprintf(full, sizeof full, "%s/%s", trail_dir, path) < PATH_MAX && make_folders(trail_dir, path) &&
              trail_replace(full, bytes, 0600);
    if (!ok)
        snprintf(why, why_size, "%s/%s: %s", trail_dir, path, strerror(errno));
    return ok;
}

static bool write_file(struct source *s, struct libdeflate_compressor *c, const struct plan_record *records,
                       const struct plan_file *file, const char *trail_dir, char *why, size_t why_size)
{
    size_t size = text_size(records, file->records), bound = libdeflate_gzip_compress_bound(c, size);
    char *text = map(size), *packed = map(bound);
    bool ok = text && packed;
    if (!ok)
        snprintf(why, why_size, "out of memory");
    ok = ok && fill_text(s, records, file->records, text, why, why_size);
    if (ok) {
        size_t n = libdeflate_gzip_compress(c, text, size, packed, bound);
        ok = place(trail_dir, file->path, (struct span){packed, n}, why, why_size);
    }
    unmap(text, size);
    unmap(packed, bound);
    return ok;
}

static bool exists(const char *trail_dir, const char *path)
{
    char full[PATH_MAX];
    return snprintf(full, sizeof full, "%s/%s", trail_dir, path) < PATH_MAX && access(full, F_OK) == 0;
}

bool plan_write_files(const struct plan *p, struct journal *j, const char *trail_dir, char *why, size_t why_size)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(COMPRESSION_LEVEL);
    struct source s = {.journal = j, .plan = p};
    const struct plan_record *records = p->records;
    bool ok = c != NULL;
    if (!ok)
        snprintf(why, why_size, "out of memory");
    for (size_t i = 0; ok && i < p->files_n; i++) {
        if (!exists(trail_dir, p->files[i].path))
            ok = write_file(&s, c, records, &p->files[i], trail_dir, why, why_size);
        records += p->files[i].records;
    }
    journal_reader_close(s.reader);
    if (c)
        libdeflate_free_compressor(c);
    return ok;
}
