// An open table: one encrypted SQLite file of (key bytes -> encoded item). Thread-safe: every function but table_open()
// and table_close() may be called by any thread; the caller sees to it that nothing runs during or after table_close().
//
// Group commit: writes collect in an open transaction. Every operation returns a ticket; before a reply that rests on
// the operation leaves, the worker calls table_commit() with it (end of turn; one commit serves all that is pending, of
// all threads). A read has a ticket too, as it may have seen a write that is still pending. Ticket 0 needs no commit.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "ddbd/page_vfs.h"

#define TABLE_KEY_SIZE PAGE_VFS_KEY_SIZE

enum table_result {
    TABLE_OK,
    TABLE_DAMAGED, // wrong key, or bytes on the disk were changed: an error of this table only
    TABLE_NO_FILE, // table_open(): there is none; table_create(): there is one already
    TABLE_FULL,    // no space on the disk
    TABLE_FAILED,  // any other error (I/O, memory)
};

struct table;

struct table_stats {
    uint64_t items;
    uint64_t bytes; // sum of item sizes as DynamoDB counts them
};

// A new empty table's file, complete or not at all. options may be NULL. The key is the file's data encryption key.
MUST_CHECK enum table_result table_create(const char *path, const unsigned char key[TABLE_KEY_SIZE],
                                          const struct page_vfs_options *options);
// *out is set on success only. The key is not kept outside of cipher contexts (wiped by table_close()).
MUST_CHECK enum table_result table_open(const char *path, const unsigned char key[TABLE_KEY_SIZE],
                                        const struct page_vfs_options *options, struct table **out);
// Commits what is pending, closes, wipes key and plaintext pages. The result tells whether that commit worked.
enum table_result table_close(struct table *t);
// Removes a closed table's files. True when they are gone.
bool table_remove(const char *path);

// item is an encoded map (attr_value.h) and key its key bytes. The item that was there before is appended to old (may
// be NULL: not wanted) and *existed (may be NULL) says whether there was one. A failure may mean that the whole pending
// transaction is lost: others learn that from table_commit().
MUST_CHECK enum table_result table_put(struct table *t, struct span key, struct span item, struct buf *old,
                                       bool *existed, uint64_t *ticket);
// Appends the item to out; *found says whether there is one.
MUST_CHECK enum table_result table_get(struct table *t, struct span key, struct buf *out, bool *found,
                                       uint64_t *ticket);
MUST_CHECK enum table_result table_delete(struct table *t, struct span key, struct buf *old, bool *existed,
                                          uint64_t *ticket);

// Returns when everything up to the ticket is committed (durable as the options say), or failed: then nothing of the
// ticket's transaction happened, and every caller with that ticket is told so.
MUST_CHECK enum table_result table_commit(struct table *t, uint64_t ticket);

// What is in the table now, pending writes included.
struct table_stats table_stats(struct table *t);
// The last error in words, for the log ("" when there was none). Never holds keys or items.
void table_error(struct table *t, char *out, size_t size);
