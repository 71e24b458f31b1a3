// Small durable file helpers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/buf.h"

// Makes the folder and its parents (mode 0700). False with errno set.
bool file_mkdirs(const char *path);
// Replaces the file at once: temporary name, fsync, rename, fsync of the folder. False with errno set.
bool file_replace(const char *path, struct span bytes, mode_t mode);
// Creates the file with these bytes unless it exists (whole or not at all, whoever else tries at the same time).
// created tells which. False with errno set.
bool file_create_once(const char *path, struct span bytes, mode_t mode, bool *created);
// Appends the whole file to b (bounded by its ceiling). False with errno set.
bool file_read(const char *path, struct buf *b);
// Writes all bytes (short writes and EINTR handled). False with errno set.
bool file_write_all(int fd, struct span bytes);
// fsync of a folder. False with errno set.
bool file_sync_dir(const char *path);
// Takes the lock file (created, mode 0600) for this process; -1 with errno set: EWOULDBLOCK when another process holds
// it.
int file_lock(const char *path);
