// EnableKeyRotation DisableKeyRotation GetKeyRotationStatus ListKeyRotations RotateKeyOnDemand: parameters and leaves,
// for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"

struct rotation_params {
    struct kms_params common;
    struct opt_int days;
};

struct list_rotations_params {
    struct list_params list;
    struct span include;
};

extern const struct param enable_key_rotation_rows[], list_key_rotations_rows[];

MUST_CHECK const struct fault *enable_key_rotation(struct call *call);
MUST_CHECK const struct fault *disable_key_rotation(struct call *call);
MUST_CHECK const struct fault *get_key_rotation_status(struct call *call);
MUST_CHECK const struct fault *list_key_rotations(struct call *call);
MUST_CHECK const struct fault *rotate_key_on_demand(struct call *call);
void rotate_key_on_demand_trail(struct json_write *w, struct call *call);
