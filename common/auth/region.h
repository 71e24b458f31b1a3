// AWS's Regions, and the partitions that they belong to.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"

// True for the Regions of AWS's public list, those of the partitions aws-cn, aws-us-gov and aws-eusc included.
bool region_exists(struct span region);
// The partition that the ARNs of a Region begin with ("arn:aws-cn:…"): "aws", "aws-cn", "aws-us-gov", "aws-eusc".
const char *region_partition(struct span region);
