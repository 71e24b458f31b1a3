// Where a daemon's state lives, and that only one process uses it. Called by daemon.c.
#include "common/rpc/daemon_state.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"

#define ABANDONED_NS (60 * NS_PER_S) // a folder without a lock is that of a start under way until it is this old

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

// True for a folder of this user's that no process has locked.
static bool is_abandoned(const char *dir)
{
    struct stat st;
    if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        clock_real_ns() - st.st_mtim.tv_sec * NS_PER_S < ABANDONED_NS)
        return false;
    char *lock = daemon_path(dir, "lock");
    int fd = file_lock(lock);
    free(lock);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

// Who was killed could not remove its folder, and it takes up memory.
static void remove_abandoned(const char *parent, const char *program)
{
    DIR *entries = opendir(parent);
    size_t n = strlen(program);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        if (strncmp(e->d_name, program, n) != 0 || e->d_name[n] != '-')
            continue;
        char *dir = daemon_path(parent, e->d_name);
        if (is_abandoned(dir))
            daemon_remove_dir(dir);
        free(dir);
    }
    if (entries)
        closedir(entries);
}

char *daemon_memory_dir(const char *program)
{
    struct stat st;
    const char *parent = stat("/dev/shm", &st) == 0 && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    char *path = NULL;
    if (!parent)
        parent = "/var/tmp";
    remove_abandoned(parent, program);
    if (asprintf(&path, "%s/%s-XXXXXX", parent, program) < 0)
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
