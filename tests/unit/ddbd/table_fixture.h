// Shared by the tests of tables: a folder of their own, items made of text, files as bytes, memory that can fail.
#pragma once

#include "ddbd/table.h"

#define FIXTURE_PATH "t.db"
#define FIXTURE_WAL "t.db-wal"

extern const unsigned char fixture_key[TABLE_KEY_SIZE];

// Makes a folder and goes there; removes it again.
int fixture_enter(void **state);
int fixture_leave(void **state);
// An empty folder, as between two tests.
int fixture_clean(void **state);

// {"pk": {"S": <"key-" n>}, "data": {"S": text}} encoded, and its key bytes.
void fixture_item(int n, const char *text, struct buf *item);
struct span fixture_key_bytes(int n, char out[32]);

struct table *fixture_open(const struct page_vfs_options *options);
// Puts without committing; the result.
enum table_result fixture_put(struct table *t, int n, const char *text, uint64_t *ticket);
void fixture_put_commit(struct table *t, int n, const char *text);
// 1: it is there and has that text; 0: there is none; -1: error; -2: it is another.
int fixture_get(struct table *t, int n, const char *text);

// Whole files.
struct buf fixture_read(const char *path);
void fixture_write(const char *path, struct span bytes);
bool fixture_exists(const char *path);

// SQLite's memory in these tests: the allocation after this many more fails (negative: none does).
extern long fixture_fail_after;
// Bytes that were released with something in them.
extern size_t fixture_unwiped;
void fixture_memory(void);
