// The daemons' durable state as a small SQL-free key-value store: tables of (key -> record). Changes are put into one
// pending list in call order and become durable together by store_commit() (one transaction; concurrent callers share
// it). A second backend can stand behind the same functions. Thread-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

struct store;

// What an acknowledged change survives. Measured on a virtual disk with a cheap flush, one change a commit: FULL 140
// us, NORMAL 4 us.
enum store_sync {
    STORE_SYNC_FULL,   // also a power cut: fsync at every commit. The right one for keys
    STORE_SYNC_NORMAL, // kill -9; a power cut may undo the last commits, never corrupt
};

// Opens or creates the database file (mode 0600, held by this process alone; "<path>-wal" and, with STORE_SYNC_FULL,
// "<path>-mark" beside it); path NULL keeps nothing at all: the daemon's memory is the truth, puts are no work. tables
// lists the table names, [a-z_] (NULL ends); the list must live as long as the store. NULL with a reason that names the
// file: not a store's database, of a version that this program does not know, corrupt, in use, or without changes that
// were committed (a damaged log).
struct store *store_open(const char *path, const char *const *tables, enum store_sync sync, char *why, size_t why_size);
// What is still pending is lost: commit before.
void store_close(struct store *s);

// Queues a change; the bytes are copied. Aborts the process when memory is gone or the table is not in the list. Must
// be called while holding the lock that orders changes of that record.
void store_put(struct store *s, const char *table, struct span key, struct span value);
void store_delete(struct store *s, const char *table, struct span key);
// Between the two, what the calling thread queues is kept from every commit, also from those of other threads: for
// changes that must not be durable before something else is. One thread at a time: others wait in store_hold().
void store_hold(struct store *s);
void store_release(struct store *s);
// What was held so far may be committed; the thread goes on holding.
void store_publish(struct store *s);
// True when changes are pending that no commit has taken yet.
bool store_dirty(struct store *s);
// Makes everything queued before this call durable. False with a reason (disk full, I/O): nothing of the pending list
// was applied, it is kept, and the caller must not answer its calls as done.
MUST_CHECK bool store_commit(struct store *s, char *why, size_t why_size);

// False when the disk is all but full: less than 1 MiB, the room for the changes of one turn, is left. To be asked
// before a change is made that cannot be taken back. True where it cannot be known.
bool store_has_room(struct store *s);

// Reads every committed record of a table in key order. The spans live during the callback, which may put and delete,
// but neither scan nor commit. It returns false to stop (the scan then succeeds). False with a reason: I/O, or a record
// whose checksum is wrong.
MUST_CHECK bool store_scan(struct store *s, const char *table,
                           bool (*each)(void *arg, struct span key, struct span value), void *arg, char *why,
                           size_t why_size);
// The same, but goes on over records whose value is damaged: damaged() is given their keys, which are whole.
MUST_CHECK bool store_scan_damaged(struct store *s, const char *table,
                                   bool (*each)(void *arg, struct span key, struct span value),
                                   void (*damaged)(void *arg, struct span key), void *arg, char *why, size_t why_size);
