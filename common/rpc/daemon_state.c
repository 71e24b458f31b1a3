// Where a daemon's state lives, and that only one process uses it. Called by daemon.c.
#include "common/rpc/daemon_state.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"

char *daemon_default_dir(const char *program)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int n;
    if (state && state[0] == '/')
        n = asprintf(&path, "%s/%s", state, program);
    else
        n = asprintf(&path, "%s/.local/state/%s", home && *home ? home : "/var/lib", program);
    if (n < 0)
        abort();
    return path;
}

char *daemon_path(const char *dir, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        abort();
    return path;
}

char *daemon_memory_dir(const char *program)
{
    struct stat st;
    const char *parent = stat("/dev/shm", &st) == 0 && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/%s-XXXXXX", parent ? parent : "/var/tmp", program) < 0)
        abort();
    if (mkdtemp(path))
        return path;
    free(path);
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

void daemon_remove_dir(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int daemon_lock_dir(const char *dir, char *why, size_t why_size)
{
    if (!file_mkdirs(dir)) {
        snprintf(why, why_size, "cannot make %s: %s", dir, strerror(errno));
        return -1;
    }
    char *path = daemon_path(dir, "lock");
    int fd = file_lock(path);
    if (fd < 0 && errno == EWOULDBLOCK)
        snprintf(why, why_size, "%s is in use by another process (%s is locked)", dir, path);
    else if (fd < 0)
        snprintf(why, why_size, "cannot lock %s: %s", path, strerror(errno));
    free(path);
    return fd;
}
