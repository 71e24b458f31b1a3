// Helpers of the trail's and the store's tests. The system calls are replaced by the linker (--wrap), so that the code
// under test knows nothing of it.
#include "tests/unit/common/trail_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libdeflate.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/json_read.h"

void scratch_new(struct scratch *s)
{
    const char *root = getenv("TMPDIR");
    snprintf(s->path, sizeof s->path, "%.40s/trail.XXXXXX", root && strlen(root) < 40 ? root : P_tmpdir);
    assert_non_null(mkdtemp(s->path));
    snprintf(s->journal, sizeof s->journal, "%s/journal", s->path);
    snprintf(s->trail, sizeof s->trail, "%s/trail", s->path);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void scratch_remove(struct scratch *s)
{
    assert_int_equal(nftw(s->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct progress *progress_new(void)
{
    void *p = mmap(NULL, sizeof(struct progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    return p;
}

void progress_free(struct progress *p)
{
    munmap(p, sizeof *p);
}

// --- system calls that kill or fail ---

static int points_left; // 0: no killing
static struct {
    enum fault_kind kind;
    int skip, count, error;
} fault;

// True when this point is the one; a write then does half of its work first.
static bool last_point(void)
{
    return points_left > 0 && --points_left == 0;
}

static void point(void)
{
    if (last_point())
        raise(SIGKILL);
}

static bool fails(enum fault_kind kind)
{
    if (fault.kind != kind || fault.count == 0)
        return false;
    if (fault.skip > 0) {
        fault.skip--;
        return false;
    }
    fault.count--;
    errno = fault.error;
    return true;
}

void fail_calls(enum fault_kind kind, int skip, int count, int error)
{
    fault.kind = kind;
    fault.skip = skip;
    fault.count = count;
    fault.error = error;
}

#define WRAPPED(type, name, ...)                                                                                       \
    type __real_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(ssize_t, pwrite64, int fd, const void *bytes, size_t n, off_t at)
{
    point();
    if (fails(FAULT_WRITE)) // as a full disk does it: some bytes arrive, the rest fails
        return __real_pwrite64(fd, bytes, n / 2, at) == 0 ? 0 : -1;
    if (last_point()) {
        __real_pwrite64(fd, bytes, n / 2, at);
        raise(SIGKILL);
    }
    return __real_pwrite64(fd, bytes, n, at);
}

WRAPPED(ssize_t, write, int fd, const void *bytes, size_t n)
{
    if (fd <= 2)
        return __real_write(fd, bytes, n);
    point();
    if (fails(FAULT_WRITE))
        return -1;
    if (last_point()) {
        __real_write(fd, bytes, n / 2);
        raise(SIGKILL);
    }
    return __real_write(fd, bytes, n);
}

WRAPPED(int, fdatasync, int fd)
{
    point();
    return fails(FAULT_SYNC) ? -1 : __real_fdatasync(fd);
}

WRAPPED(int, fsync, int fd)
{
    point();
    return fails(FAULT_SYNC) ? -1 : __real_fsync(fd);
}

WRAPPED(int, ftruncate64, int fd, off_t size)
{
    point();
    return fails(FAULT_TRUNCATE) ? -1 : __real_ftruncate64(fd, size);
}

WRAPPED(int, posix_fallocate64, int fd, off_t at, off_t n)
{
    point();
    return fails(FAULT_ALLOCATE) ? errno : __real_posix_fallocate64(fd, at, n);
}

WRAPPED(int, rename, const char *from, const char *to)
{
    point();
    return fails(FAULT_RENAME) ? -1 : __real_rename(from, to);
}

WRAPPED(int, unlink, const char *path)
{
    point();
    return __real_unlink(path);
}

WRAPPED(int, mkdir, const char *path, mode_t mode)
{
    point();
    return __real_mkdir(path, mode);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if ((flags & O_ACCMODE) != O_RDONLY)
        point();
    return __real_open64(path, flags, mode);
}

bool killed_at(int n, void (*body)(void *arg), void *arg)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        points_left = n;
        body(arg);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status %#x", (unsigned)status);
    return false;
}

// --- events ---

void event_json(char *out, size_t size, const char *account, const char *region, const char *source, int id)
{
    snprintf(out, size,
             "{\"eventVersion\":\"1.11\",\"eventSource\":\"%s\",\"awsRegion\":\"%s\",\"eventID\":\"%d\","
             "\"recipientAccountId\":\"%s\"}",
             source, region, id, account);
}

bool append_event(struct journal_writer *w, const char *account, const char *region, int id, int64_t time_ns)
{
    char json[512];
    struct journal_entry e = {.time_ns = time_ns};
    event_json(json, sizeof json, account, region, "dynamodb.amazonaws.com", id);
    snprintf(e.account, sizeof e.account, "%s", account);
    snprintf(e.region, sizeof e.region, "%s", region);
    e.json = span_of(json);
    return journal_append(w, &e);
}

static json_t *found;
static int counted;
static const char *wanted_suffix;

static void check_name(const char *path)
{
    static const char form[] = "/AWSLogs/([0-9]{12})/CloudTrail/([a-z0-9-]+)/[0-9]{4}/[0-9]{2}/[0-9]{2}/"
                               "[0-9]{12}_CloudTrail_[a-z0-9-]+_[0-9]{8}T[0-9]{4}Z_[A-Za-z0-9]{16}[.]json[.]gz$";
    regex_t re;
    assert_int_equal(regcomp(&re, form, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&re, path, 0, NULL, 0) != 0)
        fail_msg("not a CloudTrail log file's name: %s", path);
    regfree(&re);
}

static void add_records(const char *path, struct span text)
{
    assert_true(text.n <= 50 * 1000 * 1000);
    assert_true(span_starts(text, "{\"Records\":["));
    assert_null(memchr(text.p, '\n', text.n));
    char why[128];
    json_t *doc = json_read(text, why, sizeof why), *record;
    if (!doc)
        fail_msg("%s: %s", path, why);
    size_t i;
    json_array_foreach(json_object_get(doc, "Records"), i, record)
    {
        // Each lies where it belongs.
        char folder[128];
        snprintf(folder, sizeof folder, "/AWSLogs/%s/CloudTrail/%s/",
                 json_string_value(json_object_get(record, "recipientAccountId")),
                 json_string_value(json_object_get(record, "awsRegion")));
        assert_non_null(strstr(path, folder));
        json_object_set_new(record, "file", json_string(path));
        json_array_append(found, record);
    }
    assert_true(json_array_size(json_object_get(doc, "Records")) > 0);
    json_decref(doc);
}

static int read_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    const char *name = path + ftw->base;
    if (kind != FTW_F || name[0] == '.')
        return 0; // a temporary file, which nobody takes for a log file
    check_name(path);
    struct buf packed;
    buf_init(&packed, 64 << 20);
    assert_true(file_read(path, &packed));
    size_t room = 64 << 20, n;
    char *text = malloc(room);
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    assert_int_equal(libdeflate_gzip_decompress(d, packed.data, packed.len, text, room, &n), LIBDEFLATE_SUCCESS);
    add_records(path, (struct span){text, n});
    libdeflate_free_decompressor(d);
    free(text);
    buf_done(&packed);
    return 0;
}

json_t *delivered(const char *trail_dir)
{
    found = json_array();
    if (access(trail_dir, F_OK) == 0)
        assert_int_equal(nftw(trail_dir, read_one, 16, FTW_PHYS), 0);
    return found;
}

int delivered_times(const json_t *records, int id)
{
    char text[16];
    size_t i;
    json_t *record;
    int times = 0;
    snprintf(text, sizeof text, "%d", id);
    json_array_foreach(records, i, record) times +=
        strcmp(json_string_value(json_object_get(record, "eventID")), text) == 0;
    return times;
}

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)ftw;
    size_t n = strlen(path), m = strlen(wanted_suffix);
    counted += kind == FTW_F && n >= m && strcmp(path + n - m, wanted_suffix) == 0;
    return 0;
}

int files_in(const char *dir, const char *suffix)
{
    counted = 0;
    wanted_suffix = suffix;
    if (access(dir, F_OK) == 0)
        nftw(dir, count_one, 16, FTW_PHYS);
    return counted;
}
