// ARNs of keys and aliases: arn:<partition>:kms:<region>:<account>:key/<id> or alias/<name>.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "kmsd/limits.h"

bool arn_in_china(const char *region);
// Writes arn:<partition>:kms:<region>:<account>:<resource>. False: longer than the buffer.
bool arn_write(char out[KMS_ARN_SIZE], struct span region, const char *account, struct span resource);

struct arn {
    struct span partition, service, region, account, resource;
};
// Takes apart an ARN of any service; false when it has fewer than six parts.
bool arn_parse(struct span text, struct arn *out);
