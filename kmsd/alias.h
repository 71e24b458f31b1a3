// Aliases: names for keys, per account and Region.
// Source: AWS KMS API reference, CreateAlias.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "kmsd/hash.h"

struct key;

struct alias {
    char *arn;
    const char *name; // inside arn: "alias/…"
    struct key *key;
    int64_t created_ns, updated_ns;
    UT_hash_handle hh;
};

// May a customer make, move or delete an alias of this name? The sentence for a refusal goes to text.
MUST_CHECK const struct fault *alias_check_name(struct span name, char *text, size_t text_size);
// [a-zA-Z0-9:/_-]+, the pattern of AliasNameType and GrantNameType.
bool alias_matches(struct span name);
