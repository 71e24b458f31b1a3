// The "AWS owned key" of this installation: ddbd's own key, above the table keys of tables that name no KMS key. A file
// of mode 0600 in the state folder that the first start creates.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/secret.h"
#include "common/store/store.h"

// The store table that remembers which key this state belongs to.
#define OWNED_KEY_TABLE "meta"

// Reads or makes the key. state_dir NULL: a key that lives in memory only. False with a reason that names the file when
// it is missing although the state was made under one, is damaged, or is another installation's.
bool owned_key_open(struct secret *key, const char *state_dir, struct store *store, char *why, size_t why_size);
