// The mark beside the store's database file, "<path>-mark": the number of the last commit that was acknowledged. Used
// by store_sqlite.c only.
//
// SQLite takes the first frame of its write-ahead log that does not check out for the log's end, so one changed byte
// would silently undo every commit behind it. Each commit is numbered in the database; a database whose number is below
// the mark's has lost something. The mark is written after the commit and never synced: it may be late, never early.
#pragma once

#include <stdint.h>

// Opens or creates the file (mode 0600); -1 with errno.
int store_mark_open(const char *database);
// 0: there is none yet, or it is damaged itself and protects nothing.
uint64_t store_mark_read(int fd);
// One write in place, whole or not at all. A mark that cannot be written stays behind, which only protects less.
void store_mark_write(int fd, uint64_t number);
