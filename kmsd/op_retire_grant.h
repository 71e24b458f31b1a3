// RetireGrant: its parameters and the pieces for its row in op_grant.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/grant.h"
#include "kmsd/ops.h"

struct retire_params {
    struct kms_params common;
    struct span token, grant_id;
    char id_hex[2 * GRANT_ID_SIZE + 1]; // of the grant found, for the trail
};

extern const struct param retire_grant_rows[];
MUST_CHECK const struct fault *retire_grant_resolve(struct call *call);
MUST_CHECK const struct fault *retire_grant_authorize(struct call *call);
MUST_CHECK const struct fault *retire_grant(struct call *call);
bool retire_grant_trail(struct json_write *w, struct call *call);
