// AWS managed keys: made in an account and Region on first use of their alias, with AWS's description and fixed policy.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/keyring.h"

// True when the alias is an AWS managed key's and that key does not exist yet. A lock must be held.
bool managed_key_missing(const struct keyring *k, const char *account, const char *region, struct span alias);
// ListAliases shows some of their aliases, without a key, before there is one (API reference, ListAliases). The first
// of those names behind `name` (empty: the first); NULL: none.
const char *managed_key_predefined_after(struct span name);
// Makes key and alias; the write lock must be held. NULL only when the policy of the table is wrong.
struct key *managed_key_create(struct keyring *k, const char *account, const char *region, struct span alias,
                               int64_t now_ns);
