// Encrypted SQLite files: every page and every WAL frame is sealed by AES-256-GCM under the file's data encryption key
// before it reaches the disk, and opened (or refused) when it comes back. See page_vfs.c for the file's layout and for
// what is detected and what cannot be.
//
// A connection made here must be used by one thread at a time (the caller's mutex). No SQL of the caller may change
// page_size, journal_mode, locking_mode, temp_store, cache_spill or vacuum.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/fault.h"

#define PAGE_VFS_KEY_SIZE 32

struct page_vfs;

enum page_vfs_sync {
    PAGE_VFS_SYNC_COMMIT,     // fsync at each commit: an acknowledged commit survives loss of power
    PAGE_VFS_SYNC_CHECKPOINT, // fsync at checkpoints only: it survives kill -9, the last ones may be lost with the
                              // power
};

struct page_vfs_options {
    enum page_vfs_sync sync;
    int page_size;        // of a new file; 0: the default. Existing files keep theirs.
    int cache_kib;        // SQLite's page cache of this file; 0: the default
    int checkpoint_pages; // WAL length that starts a checkpoint; 0: the default
};

// Once per process, before any other use of SQLite: memory that SQLite releases (plaintext pages) is wiped.
void page_vfs_setup(void);

// Makes a new, empty encrypted file, with the given SQL run in it, complete or not at all (a crash leaves at most
// "<path>.new", which the next attempt replaces). SQLITE_OK or an SQLite error code; SQLITE_CANTOPEN when path exists.
MUST_CHECK int page_vfs_create(const char *path, const unsigned char key[PAGE_VFS_KEY_SIZE], const char *schema_sql,
                               const struct page_vfs_options *options);
// Opens an existing file. options may be NULL. The key is copied into cipher contexts only, which page_vfs_close()
// wipes. SQLITE_OK; SQLITE_CANTOPEN when there is no such file; SQLITE_IOERR_DATA when the key is wrong or the file is
// damaged; or another SQLite error code. *vfs and *db are set on success only.
MUST_CHECK int page_vfs_open(const char *path, const unsigned char key[PAGE_VFS_KEY_SIZE],
                             const struct page_vfs_options *options, struct page_vfs **vfs, sqlite3 **db);
// All statements must be finalized. Copies the WAL into the file and removes it; wipes the key. The code tells whether
// that worked (the memory is gone either way, and nothing acknowledged is lost: the WAL then stays).
int page_vfs_close(struct page_vfs *vfs, sqlite3 *db);
// As after kill -9: closes without a checkpoint.
void page_vfs_abandon(struct page_vfs *vfs, sqlite3 *db);
