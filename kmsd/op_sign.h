// Sign and Verify: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct sign_params {
    struct kms_params common;
    struct span message, message_type, algorithm;
    struct span signature; // of Verify
};

extern const struct param sign_rows[], verify_rows[];
MUST_CHECK const struct fault *sign(struct call *call);
MUST_CHECK const struct fault *verify(struct call *call);
