// What a key policy in a request must be, for CreateKey, ReplicateKey and PutKeyPolicy.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/key_policy.h"

// A counted policy for the text: well-formed, no larger than allowed, with principals that can exist, and one that does
// not lock the caller out (unless bypass). arn: the key's; "*" for one that does not exist yet.
MUST_CHECK const struct fault *policy_check(struct call *call, struct span text, bool bypass, const char *arn,
                                            const struct key_policy **out);
// The policy of a new key: the one in the request, checked, or the default one where it has none (text.p NULL).
MUST_CHECK const struct fault *policy_for_new_key(struct call *call, struct span text, bool bypass,
                                                  const struct key_policy **out);
// The pattern of PolicyType.
bool policy_text_matches(struct span text);
// A parameter that holds a policy; its name and place are the row's own.
#define POLICY_FORM                                                                                                    \
    .type = PARAM_STRING, .min = 1, .max = 131072, .pattern = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",               \
    .matches = policy_text_matches
