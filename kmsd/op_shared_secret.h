// DeriveSharedSecret: parameters and leaf, for its row in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct shared_secret_params {
    struct kms_params common;
    struct span algorithm, public_key;
};

extern const struct param derive_shared_secret_rows[];

MUST_CHECK const struct fault *derive_shared_secret_resolve(struct call *call);
MUST_CHECK const struct fault *derive_shared_secret(struct call *call);
