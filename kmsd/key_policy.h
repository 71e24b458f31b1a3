// Key policies: text as it was put, parsed once and shared by all keys that have the same (most have the default one).
#pragma once

#include "common/auth/policy.h"
#include "common/base/buf.h"

struct key_policy {
    struct span text; // of the document, as it was sent
    const struct policy *parsed;
};

struct policy_pool;

struct policy_pool *policy_pool_new(void);
void policy_pool_free(struct policy_pool *pool); // all policies must have been put back
// A counted policy for this text; NULL with a reason when the document is malformed or uses what is not supported.
const struct key_policy *policy_pool_get(struct policy_pool *pool, struct span text, char *why, size_t why_size);
void policy_pool_put(struct policy_pool *pool, const struct key_policy *policy);

// The policy that CreateKey gives when none is sent: the account decides by its identity policies.
void key_policy_default(const char *partition, const char *account, struct buf *text);
