// Whether there may be one more. Asked by the operations that make things.
#include "kmsd/quota.h"

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/limits.h"

// AWS's own keys do not count. They are few: only where the quota may be reached is there anything to count.
static size_t customer_keys(const struct realm *realm)
{
    size_t n = realm->keys.n;
    for (size_t i = 0; n >= KMS_KEYS_PER_REGION && i < realm->keys.n; i++)
        n -= ((const struct key *)realm->keys.v[i])->manager == KEY_MANAGER_AWS;
    return n;
}

const struct fault *quota_key(struct call *call, const char *region)
{
    const struct realm *realm = keyring_realm(kmsd_of(call)->keyring, call->account, region);
    size_t n = realm ? customer_keys(realm) : 0;
    if (n < KMS_KEYS_PER_REGION)
        return NULL;
    return call_fault(call, &fault_limit_exceeded,
                      "Key quota for this account in this region is %d but the current usage is %zu.",
                      KMS_KEYS_PER_REGION, n);
}

const struct fault *quota_alias(struct call *call, const struct key *key)
{
    if (key->aliases.n < KMS_ALIASES_PER_KEY)
        return NULL;
    return call_fault(call, &fault_limit_exceeded,
                      "Aliases per key quota for this account in this region is %d, current usage is %zu.",
                      KMS_ALIASES_PER_KEY, key->aliases.n);
}

// No real reply is known: as the one about aliases.
const struct fault *quota_grant(struct call *call, const struct key *key)
{
    if (key->manager == KEY_MANAGER_AWS || key->grants.by_id.n < KMS_GRANTS_PER_KEY)
        return NULL;
    return call_fault(call, &fault_limit_exceeded,
                      "Grants per key quota for this account in this region is %d, current usage is %zu.",
                      KMS_GRANTS_PER_KEY, key->grants.by_id.n);
}
