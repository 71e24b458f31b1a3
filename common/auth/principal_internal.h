// How principals are made and held; for common/auth only.
#pragma once

#include <stdatomic.h>

#include "common/auth/principal.h"
#include "common/base/arena.h"
#include "common/base/secret.h"

// A principal with everything that belongs to its access key. `p` is what others see and must be first.
struct principal_owned {
    struct principal p;
    atomic_uint references;
    struct arena texts; // all strings of p
    struct secret secret;
    uint64_t secret_id;       // counts principals, so that no two secrets share one
    struct secret token_text; // NUL-terminated; empty: none
    const char *token;        // in token_text; NULL: none
    bool verify;
    struct policy **policies; // owned
};

// One reference, nothing filled in. Aborts when memory is gone.
struct principal_owned *principal_new(enum principal_type type, const char *account);
void principal_add_policy_take(struct principal_owned *o, struct policy *policy);
