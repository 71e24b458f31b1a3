// DescribeEndpoints and DescribeLimits, for ops.c.
#pragma once

#include "common/rpc/call.h"

MUST_CHECK const struct fault *describe_endpoints_invoke(struct call *call);
MUST_CHECK const struct fault *describe_limits_invoke(struct call *call);
