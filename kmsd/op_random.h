// GenerateRandom: parameters and leaf, for its row in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct random_params {
    struct kms_params common;
    struct opt_int bytes;
    struct span custom_key_store_id;
};

extern const struct param generate_random_rows[];

MUST_CHECK const struct fault *generate_random(struct call *call);
