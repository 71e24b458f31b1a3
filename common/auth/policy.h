// IAM policy documents: parsed once, evaluated often. Knows Effect, Principal, Action, Resource with wildcards and the
// conditions StringEquals, StringEqualsIgnoreCase, StringLike and Bool over a given set of condition keys; anything
// else is refused when the document is read, never ignored. Thread-safe once parsed. Source: IAM User Guide, "Policy
// evaluation logic" and "IAM JSON policy elements reference".
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

struct principal;
struct policy;

enum policy_kind {
    POLICY_RESOURCE, // a key policy: every statement has a Principal
    POLICY_IDENTITY, // of a user or role: no Principal
};

// NULL with a reason (English, names the statement and element) when the document is malformed or uses what is not
// supported. text is a JSON document.
struct policy *policy_parse(struct span text, enum policy_kind kind, char *why, size_t why_size);
// The same from a parsed value (principals.json).
struct policy *policy_from_json(const json_t *document, enum policy_kind kind, char *why, size_t why_size);
void policy_free(struct policy *p);

// One condition key's values in a request. Single-valued keys have one value.
struct policy_request {
    const struct principal *caller;
    const char *action;   // "kms:Decrypt"
    const char *resource; // ARN, or "*" for operations without a resource
    // Looks up a condition key (name as AWS writes it, e.g. "kms:ViaService", "kms:EncryptionContext:Project"; compared
    // without regard to case by the callee). False: the key is absent from the request.
    bool (*lookup)(void *arg, struct span key, struct span *value);
    void *arg;
};

enum policy_effect { POLICY_NONE, POLICY_ALLOW, POLICY_DENY };

struct policy_match {
    enum policy_effect effect;
    // POLICY_RESOURCE: the allowing statement's principal is the account ("arn:aws:iam::ACCT:root" or the account id)
    // rather than the caller itself, "*" or a service: the key policy delegates to the account's identity policies.
    bool delegates_to_account;
    size_t statement; // index of the statement that decided
    const char *sid;  // its Sid; NULL: none. Lives as long as the policy.
};

// Deny wins; then an Allow for the caller itself; then an Allow that only delegates to the account.
struct policy_match policy_evaluate(const struct policy *p, const struct policy_request *r);

// Does this resource policy let the given account's root (or everybody) call kms:PutKeyPolicy (the lockout check of
// CreateKey and PutKeyPolicy)? caller is the principal that must keep access.
bool policy_keeps_access(const struct policy *p, const struct principal *caller, const char *action,
                         const char *resource);
