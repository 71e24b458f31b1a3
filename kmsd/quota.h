// Resource quotas of KMS: how many of what an account may have. LimitExceededException with the words of real replies
// where those are known. Source: AWS KMS Developer Guide, "Resource quotas"; their sizes are limits.h's.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/key.h"

// One more customer managed key of the caller's account in that Region.
MUST_CHECK const struct fault *quota_key(struct call *call, const char *region);
// One more alias, or grant, of the key. AWS managed keys have no quota of grants.
MUST_CHECK const struct fault *quota_alias(struct call *call, const struct key *key);
MUST_CHECK const struct fault *quota_grant(struct call *call, const struct key *key);
