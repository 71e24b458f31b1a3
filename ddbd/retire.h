// Grants that are to be retired: tables deleted, keys changed, half-made tables given up. Kept in the store until KMS
// has done it, however long it is away. The asking itself happens in the main thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ddbd/ddbd.h"

#define RETIRE_TABLE "retire" // the store table

struct retire *retire_new(struct ddbd *d);
// Reads what earlier runs left over. False with a reason.
bool retire_load(struct retire *r, char *why, size_t why_size);
void retire_free(struct retire *r);
// Queued for the next store_commit(). Any thread.
void retire_add(struct retire *r, const char *account, const char *region, const char *key_arn, const char *grant_id);
// All grants of a table's key.
void retire_add_key(struct retire *r, const struct table_info *t, const struct table_key *key);
// Something is being asked right now (not: waiting for KMS to come back).
bool retire_busy(struct retire *r);
