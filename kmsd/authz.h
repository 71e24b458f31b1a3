// Who may do what with a key: explicit denies, the key policy, the caller's identity policies where the key policy
// delegates to the account, grants. A pure function of the question, so that tests need no daemon.
// Source: AWS KMS Developer Guide, "Determining access to AWS KMS keys" and "Grants in AWS KMS".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/decision.h"
#include "common/auth/principal.h"
#include "kmsd/attestation.h"
#include "kmsd/grant.h"
#include "kmsd/key.h"
#include "kmsd/limits.h"

struct authz_question {
    // Who.
    const struct principal *caller;
    const char *account;           // the caller's; for a service's own call the account it acts for
    bool on_behalf;                // a service calls for this user
    const char *via_service;       // "dynamodb.us-east-1.amazonaws.com"; NULL: the caller signed itself
    const char *service_principal; // "dynamodb.amazonaws.com"; NULL as above
    // What.
    const char *action;             // "kms:Decrypt"
    const char *resource;           // ARN, or "*"
    const struct key *key;          // NULL: not about a key (identity policies alone decide)
    enum grant_operation operation; // GRANT_NONE: no grant can allow it
    const struct str_map *context;  // encryption context; of CreateGrant the constraint's; NULL: none
    const char *source_arn;         // aws:SourceArn; NULL: none
    const struct grant *child;      // CreateGrant: what is to be created
    bool grant_management;          // kms:GrantIsForAWSResource has a value
    // Of the recipient, verified; NULL: none.
    const struct attestation *attestation;
    // When.
    int64_t now_ns, grant_delay_ns;
    enum context_case context_case;
    unsigned char tokens[KMS_GRANT_TOKENS_MAX][GRANT_ID_SIZE]; // grants named by (genuine) tokens
    size_t tokens_n;
};

// sid in the answer lives as long as the policies.
void authz_decide(const struct authz_question *q, struct decision *d);

// Texts that a grant's principal may have to be this caller: its ARN, its role's, its service's names.
#define AUTHZ_NAMES_MAX 3
size_t authz_names(const struct authz_question *q, const char *names[AUTHZ_NAMES_MAX]);
// Is `principal` (of a grant) the root ARN of the caller's account?
bool authz_is_account_of(const char *principal, const char *account);
// Do the caller's identity policies allow the question (and none deny)? Fills d with a denial or an identity decision.
bool authz_identity_allows(const struct authz_question *q, struct decision *d);
