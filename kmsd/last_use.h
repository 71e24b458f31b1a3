// The last successful cryptographic use of a key, which GetKeyLastUsage answers. Every worker notes its own under the
// keyring's read lock, so a key's box has a lock of its own; it is made at the key's first use.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ids.h"

#define LAST_USE_OPERATION_SIZE 40

// As the call's trail record has it: the one that the key's owner got.
struct last_use {
    char operation[LAST_USE_OPERATION_SIZE];
    uint64_t run; // journal_run(): a virtual clock may begin anew with each
    int64_t time_ns;
    char request_id[UUID_TEXT_SIZE], event_id[UUID_TEXT_SIZE];
};

struct last_use_box;

// Replaces what *box has. True: from now on it has something that is not saved, which it had not before.
bool last_use_set(struct last_use_box **box, const struct last_use *use);
// What was read from the disk: kept unless *box has a later one.
void last_use_restore(struct last_use_box **box, const struct last_use *use, bool saved);
bool last_use_get(struct last_use_box *const *box, struct last_use *out); // false: none
// The same, once after each last_use_set(): it counts as saved then.
bool last_use_take_unsaved(struct last_use_box **box, struct last_use *out);
void last_use_free(struct last_use_box **box); // nobody else may use the box any more
