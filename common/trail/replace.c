// Atomic replacement with a fixed temporary name, for the trail's state files and the delivered log files.
#include "common/trail/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"

static bool write_synced(const char *path, struct span bytes, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return false;
    bool ok = file_write_all(fd, bytes) && fsync(fd) == 0;
    int failure = errno;
    ok = close(fd) == 0 && ok;
    if (!ok) {
        unlink(path);
        errno = failure;
    }
    return ok;
}

bool trail_replace(const char *path, struct span bytes, mode_t mode)
{
    char folder[PATH_MAX], temporary[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 1;
    int m = snprintf(folder, sizeof folder, "%.*s", n ? n : 1, slash ? path : ".");
    int t = snprintf(temporary, sizeof temporary, "%.*s/.%s.tmp", n, slash ? path : ".", slash ? slash + 1 : path);
    if (m < 0 || m >= PATH_MAX || t < 0 || t >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return write_synced(temporary, bytes, mode) && rename(temporary, path) == 0 && file_sync_dir(folder);
}
