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

// Opens or creates the database file; path NULL keeps everything in memory. tables lists the table names (NULL ends).
struct store *store_open(const char *path, const char *const *tables, char *why, size_t why_size);
void store_close(struct store *s);

// Queues a change; the bytes are copied. Must be called while holding the lock that orders changes of that record.
void store_put(struct store *s, const char *table, struct span key, struct span value);
void store_delete(struct store *s, const char *table, struct span key);
// True when changes are pending that no commit has taken yet.
bool store_dirty(struct store *s);
// Makes everything queued before this call durable. False with a reason (disk full, I/O): nothing of the pending list
// was applied, it is kept, and the caller must not answer its calls as done.
MUST_CHECK bool store_commit(struct store *s, char *why, size_t why_size);

// Reads every record of a table in key order. The spans live during the callback. The callback returns false to stop.
MUST_CHECK bool store_scan(struct store *s, const char *table, bool (*each)(void *arg, struct span key, struct span value),
                           void *arg, char *why, size_t why_size);
