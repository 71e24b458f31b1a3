// Small durable files: state files, credentials, locks. Callers give the contents and word the errors (errno is kept
// for them); large or growing files have their own writers elsewhere.
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// Closes (and removes, when named) after a failure, and lets errno tell of the failure.
static bool fail(int fd, const char *remove)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (remove)
        unlink(remove);
    errno = saved;
    return false;
}

static bool copy_path(char to[PATH_MAX], const char *path)
{
    size_t n = strlen(path);
    if (n == 0 || n >= PATH_MAX) {
        errno = n ? ENAMETOOLONG : ENOENT;
        return false;
    }
    memcpy(to, path, n + 1);
    return true;
}

static bool make_dir(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return true;
    if (errno != EEXIST || stat(path, &st) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

bool file_mkdirs(const char *path)
{
    char copy[PATH_MAX];
    if (!copy_path(copy, path))
        return false;
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!make_dir(copy))
            return false;
        *slash = '/';
    }
    return make_dir(copy);
}

bool file_write_all(int fd, struct span bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        bytes = (struct span){bytes.p + n, bytes.n - (size_t)n};
    }
    return true;
}

bool file_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return fail(fd, NULL);
    return close(fd) == 0;
}

static bool sync_parent(const char *path)
{
    char copy[PATH_MAX];
    if (!copy_path(copy, path))
        return false;
    char *slash = strrchr(copy, '/');
    if (!slash)
        return file_sync_dir(".");
    slash[slash == copy] = '\0';
    return file_sync_dir(copy);
}

// Writes the bytes, synced, to a new file beside path and gives its name.
static bool write_beside(const char *path, struct span bytes, mode_t mode, char temporary[PATH_MAX])
{
    int n = snprintf(temporary, PATH_MAX, "%s.XXXXXX", path);
    if (n < 0 || n >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fchmod(fd, mode) != 0 || !file_write_all(fd, bytes) || fsync(fd) != 0)
        return fail(fd, temporary);
    return close(fd) == 0 || fail(-1, temporary);
}

bool file_replace(const char *path, struct span bytes, mode_t mode)
{
    char temporary[PATH_MAX];
    if (!write_beside(path, bytes, mode, temporary))
        return false;
    if (rename(temporary, path) != 0)
        return fail(-1, temporary);
    return sync_parent(path);
}

bool file_create_once(const char *path, struct span bytes, mode_t mode, bool *created)
{
    char temporary[PATH_MAX];
    struct stat st;
    *created = false;
    if (lstat(path, &st) == 0)
        return true;
    if (errno != ENOENT || !write_beside(path, bytes, mode, temporary))
        return false;
    // link() is what rename() is not: it fails when the name is taken.
    *created = link(temporary, path) == 0;
    if (!*created && errno != EEXIST)
        return fail(-1, temporary);
    unlink(temporary);
    return sync_parent(path);
}

bool file_read(const char *path, struct buf *b)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(fd, NULL);
    // The size is a hint: room for it now spares copies, which would also be copies of secrets.
    if (S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size <= b->max - b->len)
        buf_reserve(b, (size_t)st.st_size + 1);
    for (;;) {
        char *to = buf_reserve(b, 1);
        ssize_t n = to ? read(fd, to, b->cap - b->len) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(fd, NULL);
        if (!to || (size_t)n > b->max - b->len) {
            b->failed = true;
            errno = EFBIG;
            return fail(fd, NULL);
        }
        if (n == 0)
            break;
        buf_commit(b, (size_t)n);
    }
    close(fd);
    return true;
}

int file_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        fail(fd, NULL);
        return -1;
    }
    return fd;
}
