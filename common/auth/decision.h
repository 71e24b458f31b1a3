// Why a call is allowed or refused: a value that stays with the call, for its error sentence, logs, consoles and tests.
// Source of the sentences: IAM User Guide, "Troubleshoot access denied error messages"; KMS as recorded.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

struct principal;

enum decision_reason {
    DECISION_NONE, // not decided (no authorization was needed, or the call ended before)
    // Allowed by:
    DECISION_FULL_RIGHTS,     // root, or --auth=open's `local`
    DECISION_RESOURCE_POLICY, // a statement of the key policy
    DECISION_IDENTITY_POLICY, // a statement of the caller's own policies
    DECISION_GRANT,
    DECISION_RETIRER, // RetireGrant: by who the caller is
    // Denied because of:
    DECISION_DENY_RESOURCE_POLICY, // explicit deny in the key policy
    DECISION_DENY_IDENTITY_POLICY, // explicit deny in an identity policy
    DECISION_NO_RESOURCE_POLICY,   // no resource-based policy allows
    DECISION_NO_IDENTITY_POLICY,   // no identity-based policy allows
    DECISION_UNKNOWN_RESOURCE,     // the key is not there, or not for this caller to know
};

struct decision {
    enum decision_reason reason;
    size_t policy;     // index among the caller's identity policies
    size_t statement;  // index in that policy
    const char *sid;   // its Sid; NULL: none
    char grant_id[65]; // DECISION_GRANT, DECISION_RETIRER; empty otherwise
};

bool decision_allows(const struct decision *d);
// One word for logs and consoles: "resource-policy", "grant", "no-identity-policy", …
const char *decision_word(const struct decision *d);
// AWS's sentence for a refusal. resource: an ARN, which is not told when the resource is unknown; NULL: "the resource
// associated with this ciphertext" (Decrypt without a KeyId); "": none. action: "kms:Decrypt".
bool decision_sentence(const struct decision *d, const struct principal *caller, const char *action,
                       const char *resource, struct buf *out);
