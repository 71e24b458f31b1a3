// Encrypt: parameters and leaf, for its row in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct encrypt_params {
    struct kms_params common;
    struct span plaintext, algorithm;
};

extern const struct param encrypt_rows[];

MUST_CHECK const struct fault *encrypt(struct call *call);
