// Open table files, one per table however many principals use it: the last user's release closes the file, which wipes
// its data encryption key and plaintext pages. Thread-safe.
#pragma once

#include <stdbool.h>

#include "ddbd/table.h"
#include "ddbd/table_info.h"

struct open_tables;
struct open_table; // counted

// dir is where the files are. closed(arg, …) tells what was in a table when it was closed; NULL: nobody asks.
struct open_tables *open_tables_new(const char *dir, const struct page_vfs_options *options,
                                    void (*closed)(void *arg, const struct table_info *which, struct table_stats stats),
                                    void *arg);
void open_tables_free(struct open_tables *o); // nothing may be open any more

// The file of a table: <dir>/<table id>.db
void open_tables_path(const struct open_tables *o, const char *table_id, char *out, size_t size);

// Opens the file, or shares it when it is open. *out is set on success.
MUST_CHECK enum table_result open_table_acquire(struct open_tables *o, const struct table_info *which,
                                                const unsigned char dek[TABLE_KEY_SIZE], struct open_table **out);
void open_table_release(struct open_table *t); // NULL is fine
struct table *open_table_file(const struct open_table *t);

// What is in the table, if it is open now.
bool open_table_stats(struct open_tables *o, const char *table_id, struct table_stats *stats);
// A new file in the place of a half-made one of an earlier attempt.
MUST_CHECK enum table_result open_tables_create(struct open_tables *o, const char *table_id,
                                                const unsigned char dek[TABLE_KEY_SIZE]);
// Removes the file. False when the table is in use just now, or the file can not be removed.
MUST_CHECK bool open_tables_remove(struct open_tables *o, const struct table_info *which);
