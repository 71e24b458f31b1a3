// Checks of key policies that come in requests. The document itself is read by common/auth/policy.
#include "kmsd/policy_check.h"

#include "common/auth/region.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/limits.h"

// Characters up to U+00FF: in UTF-8, bytes below 0x80 and the leads 0xc2 and 0xc3 with one byte behind.
bool policy_text_matches(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = c >= 0x20 || c == '\t' || c == '\n' || c == '\r';
        if (!plain || c >= 0xc4)
            return false;
    }
    return text.n > 0;
}

const struct fault *policy_check(struct call *call, struct span text, bool bypass, const char *arn,
                                 const struct key_policy **out)
{
    char why[512];
    if (text.n > KMS_POLICY_BYTES_MAX)
        return call_fault(call, &fault_limit_exceeded, "The key policy is larger than %d bytes.", KMS_POLICY_BYTES_MAX);
    const struct key_policy *policy = policy_pool_get(keyring_policies(kmsd_of(call)->keyring), text, why, sizeof why);
    if (!policy)
        return call_fault(call, &fault_malformed_policy, "%s", why);
    if (!bypass && !policy_keeps_access(policy->parsed, call->caller.principal, "kms:PutKeyPolicy", arn)) {
        policy_pool_put(keyring_policies(kmsd_of(call)->keyring), policy);
        return call_fault(call, &fault_malformed_policy,
                          "The new key policy will not allow you to update the key policy in the future.");
    }
    *out = policy;
    return NULL;
}

const struct fault *policy_for_new_key(struct call *call, struct span text, bool bypass, const struct key_policy **out)
{
    if (text.p)
        return policy_check(call, text, bypass, "*", out);
    struct buf usual;
    char why[256];
    buf_init(&usual, KMS_POLICY_BYTES_MAX);
    key_policy_default(region_partition(span_of(call->region)), call->account, &usual);
    *out = policy_pool_get(keyring_policies(kmsd_of(call)->keyring), buf_span(&usual), why, sizeof why);
    buf_done(&usual);
    return *out ? NULL : &fault_internal;
}
