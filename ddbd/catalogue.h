// The tables of every account and Region: in memory, written through to the store. Thread-safe; snapshots are counted.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/store/store.h"
#include "ddbd/table_info.h"

#define CATALOGUE_TABLE "tables" // the store table

struct catalogue;

struct catalogue *catalogue_new(struct store *store);
void catalogue_free(struct catalogue *c);
// Reads the store. A table whose record is damaged stays in the catalogue as TABLE_UNREADABLE, so that its name is not
// free. False with a reason that names the record where not even that is possible.
bool catalogue_load(struct catalogue *c, char *why, size_t why_size);

// A reference, NULL when there is none.
const struct table_info *catalogue_find(struct catalogue *c, const char *account, const char *region, const char *name);
bool catalogue_is_damaged(struct catalogue *c, const char *account, const char *region, const char *name);
size_t catalogue_count(struct catalogue *c, const char *account, const char *region);

// Adds the table (queued for the next store_commit()). False when the name is taken.
MUST_CHECK bool catalogue_add(struct catalogue *c, const struct table_info *t);

// Changes a table under the lock: change() gets a private copy and returns false to leave everything as it was. Returns
// a reference to the new snapshot, NULL when the table is gone, is another one of that name, or change() refused.
MUST_CHECK const struct table_info *catalogue_change(struct catalogue *c, const struct table_info *which,
                                                     bool (*change)(struct table_info *copy, void *arg), void *arg);
// Forgets the table (queued for the next store_commit()); nothing happens when it is another one of that name.
void catalogue_remove(struct catalogue *c, const struct table_info *which);

// Calls each() with every name of the account and Region behind `after` (NULL: from the start), in order, until it
// returns false.
void catalogue_names(struct catalogue *c, const char *account, const char *region, const char *after,
                     bool (*each)(void *arg, const char *name), void *arg);
// References to all tables that pick() likes; *n of them, to be released by catalogue_list_free().
const struct table_info **catalogue_list(struct catalogue *c, bool (*pick)(const struct table_info *t, void *arg),
                                         void *arg, size_t *n);
void catalogue_list_free(const struct table_info **list, size_t n);
// The smallest value of what() over all tables (INT64_MAX: none).
int64_t catalogue_min(struct catalogue *c, int64_t (*what)(const struct table_info *t));
