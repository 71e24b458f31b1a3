// GetKeyPolicy PutKeyPolicy ListKeyPolicies: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"

struct policy_params {
    struct kms_params common;
    struct span name, policy;
    struct opt_bool bypass;
};

extern const struct param get_key_policy_rows[], put_key_policy_rows[], list_key_policies_rows[];

MUST_CHECK const struct fault *get_key_policy(struct call *call);
MUST_CHECK const struct fault *put_key_policy(struct call *call);
MUST_CHECK const struct fault *list_key_policies(struct call *call);
