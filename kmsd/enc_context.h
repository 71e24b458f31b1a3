// Encryption contexts: the canonical form that is bound to ciphertexts as additional authenticated data, and the
// comparisons that grant constraints ask for. Contexts come as the request's struct str_map.
// Source: AWS KMS Developer Guide "Encryption context"; API reference, GrantConstraints.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/rpc/param.h"

// How a grant constraint's key is compared. The API reference says that its case does not matter, the guide of 2023
// that it does; --grant-context-case chooses. The value's case always matters.
enum context_case {
    CONTEXT_CASE_IGNORE,
    CONTEXT_CASE_EXACT,
};

// Appends the canonical form: pairs sorted by key (bytes), every text preceded by its 32-bit length. Two contexts have
// the same form exactly when they hold the same pairs. False when it is longer than KMS_CONTEXT_BYTES_MAX or memory is
// short.
MUST_CHECK bool enc_context_canonical(const struct str_map *context, struct buf *b);

// The one place where the rule about a constraint's key lives.
bool enc_context_key_eq(struct span a, struct span b, enum context_case rule);
// Every pair of `constraint` occurs in `context`.
bool enc_context_subset(const struct str_map *constraint, const struct str_map *context, enum context_case rule);
// Both hold the same pairs.
bool enc_context_equal(const struct str_map *a, const struct str_map *b, enum context_case rule);
// Two of the pairs have the same key under the rule.
bool enc_context_has_duplicates(const struct str_map *context, enum context_case rule);

// The value of a key, exactly spelled; false: no such key.
bool enc_context_value(const struct str_map *context, struct span key, struct span *value);

// A heap copy, sorted by key; freed by enc_context_free(). Aborts when memory is gone.
struct str_map enc_context_copy(const struct str_map *context);
void enc_context_free(struct str_map *context);
