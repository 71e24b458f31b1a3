// The words and sentences of a decision. Filled by kmsd/authz and ddbd's access check.
#include "common/auth/decision.h"

#include "common/auth/principal.h"

static const struct {
    const char *word;
    bool allows;
} reasons[] = {
    [DECISION_NONE] = {"none", false},
    [DECISION_FULL_RIGHTS] = {"full-rights", true},
    [DECISION_RESOURCE_POLICY] = {"resource-policy", true},
    [DECISION_IDENTITY_POLICY] = {"identity-policy", true},
    [DECISION_GRANT] = {"grant", true},
    [DECISION_RETIRER] = {"retirer", true},
    [DECISION_DENY_RESOURCE_POLICY] = {"deny-resource-policy", false},
    [DECISION_DENY_IDENTITY_POLICY] = {"deny-identity-policy", false},
    [DECISION_NO_RESOURCE_POLICY] = {"no-resource-policy", false},
    [DECISION_NO_IDENTITY_POLICY] = {"no-identity-policy", false},
    [DECISION_UNKNOWN_RESOURCE] = {"unknown-resource", false},
};

bool decision_allows(const struct decision *d)
{
    return reasons[d->reason].allows;
}

const char *decision_word(const struct decision *d)
{
    return reasons[d->reason].word;
}

static void append_resource(const struct decision *d, const char *resource, struct buf *out)
{
    if (!resource)
        buf_append_str(out, "on the resource associated with this ciphertext ");
    else if (d->reason == DECISION_UNKNOWN_RESOURCE)
        buf_append_str(out, "on this resource ");
    else if (*resource)
        buf_appendf(out, "on resource: %s ", resource);
}

bool decision_sentence(const struct decision *d, const struct principal *caller, const char *action,
                       const char *resource, struct buf *out)
{
    buf_appendf(out, "User: %s is not authorized to perform: %s ", caller->arn, action);
    append_resource(d, resource, out);
    switch (d->reason) {
    case DECISION_DENY_RESOURCE_POLICY:
        return buf_append_str(out, "with an explicit deny in a resource-based policy");
    case DECISION_DENY_IDENTITY_POLICY:
        return buf_append_str(out, "with an explicit deny in an identity-based policy");
    case DECISION_NO_RESOURCE_POLICY:
        return buf_appendf(out, "because no resource-based policy allows the %s action", action);
    case DECISION_UNKNOWN_RESOURCE:
        return buf_append_str(out, "because the resource does not exist in this Region, no resource-based policies "
                                   "allow access, or a resource-based policy explicitly denies access");
    default:
        return buf_appendf(out, "because no identity-based policy allows the %s action", action);
    }
}
