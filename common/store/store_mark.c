// The number of the last acknowledged commit, beside the database. Called by store_sqlite.c, which compares.
#include "common/store/store_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/encode.h"

struct mark {
    char magic[4];
    uint32_t crc; // of number
    uint64_t number;
};

static const char magic[4] = {'m', 'a', 'r', 'k'};

static uint32_t crc_of(uint64_t number)
{
    return crc32_of((struct span){(const char *)&number, sizeof number});
}

int store_mark_open(const char *database)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s-mark", database) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

uint64_t store_mark_read(int fd)
{
    struct mark m;
    bool ok = pread(fd, &m, sizeof m, 0) == (ssize_t)sizeof m && memcmp(m.magic, magic, sizeof magic) == 0 &&
              m.crc == crc_of(m.number);
    return ok ? m.number : 0;
}

void store_mark_write(int fd, uint64_t number)
{
    struct mark m = {.crc = crc_of(number), .number = number};
    memcpy(m.magic, magic, sizeof magic);
    ssize_t written = pwrite(fd, &m, sizeof m, 0);
    (void)written;
}
