// GetPublicKey: parameters and leaf, for its row in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

extern const struct param get_public_key_rows[];
MUST_CHECK const struct fault *get_public_key(struct call *call);
