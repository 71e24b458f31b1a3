// GetKeyLastUsage: leaf, for its row in ops.c.
#pragma once

#include "common/rpc/call.h"

MUST_CHECK const struct fault *get_key_last_usage(struct call *call);
