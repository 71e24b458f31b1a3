// kmsd's half of the operation table: the columns that only KMS has, and the parameters that many operations share.
#pragma once

#include "common/rpc/op.h"
#include "common/rpc/param.h"
#include "kmsd/key_spec.h"
#include "kmsd/key_state.h"
#include "kmsd/limits.h"
#include "kmsd/marker.h"

struct attestation;
struct call;
struct key;

// struct op's ext.
struct kms_op {
    bool aliases;               // the key may be given as alias name or alias ARN
    bool foreign;               // the key may be another account's
    bool grant_management;      // kms:GrantIsForAWSResource has a value
    enum grant_operation grant; // GRANT_NONE: no grant can allow it
    enum key_rule rule;
    bool use;         // GetKeyLastUsage tells of it (KeyLastUsageTrackingOperation of the model)
    unsigned usages;  // bits of enum key_usage: the key must have one of them; 0: any will do
    unsigned origins; // the same of enum key_origin
};

// Recipient: who alone is to read the plaintext of the answer (recipient.h).
struct recipient {
    bool set;
    struct span algorithm, document;
    const struct attestation *attestation; // set by the resolver, once the document is known to be true; else NULL
};

// The first member of every parameter struct.
struct kms_params {
    struct span key_id; // KeyId, or what names the key whose policy decides
    struct span_list grant_tokens;
    struct str_map context;
    struct opt_bool dry_run;
    struct recipient recipient;
    bool alone;         // set by ops.c: the call holds the keyring for changing
    const char *action; // what is asked instead of the row's action; ReEncrypt has one for each of its keys
};

extern const struct service kms_service;

// Whether a member that names a key has the form that AWS asks of it (not in the model): ASCII, and not empty.
bool key_id_matches(struct span text);

// Rows that many operations have.
#define KEY_ID_FORM .min = 1, .max = KMS_ID_MAX, .pattern = "^\\p{ASCII}+$", .matches = key_id_matches
#define ROW_KEY_ID                                                                                                     \
    {                                                                                                                  \
        .name = "KeyId", .type = PARAM_STRING, .offset = offsetof(struct kms_params, key_id), .required = true,        \
        KEY_ID_FORM                                                                                                    \
    }
#define ROW_OPTIONAL_KEY_ID                                                                                            \
    {                                                                                                                  \
        .name = "KeyId", .type = PARAM_STRING, .offset = offsetof(struct kms_params, key_id), KEY_ID_FORM              \
    }
#define ROW_GRANT_TOKENS                                                                                               \
    {                                                                                                                  \
        .name = "GrantTokens", .type = PARAM_STRINGS, .offset = offsetof(struct kms_params, grant_tokens),             \
        .trail = PARAM_HIDDEN, .max = KMS_GRANT_TOKENS_MAX, .item_min = 1, .item_max = 8192                            \
    }
#define ROW_CONTEXT                                                                                                    \
    {                                                                                                                  \
        .name = "EncryptionContext", .type = PARAM_MAP, .offset = offsetof(struct kms_params, context)                 \
    }
#define ROW_DRY_RUN                                                                                                    \
    {                                                                                                                  \
        .name = "DryRun", .type = PARAM_BOOL, .offset = offsetof(struct kms_params, dry_run)                           \
    }
extern const struct param recipient_rows[]; // recipient.h
#define ROW_RECIPIENT                                                                                                  \
    {                                                                                                                  \
        .name = "Recipient", .type = PARAM_OBJECT, .offset = offsetof(struct kms_params, recipient),                   \
        .trail = PARAM_HIDDEN, .members = recipient_rows, .set_offset = offsetof(struct kms_params, recipient.set)     \
    }
// Of struct list_params (list_page.h), which begins with struct kms_params.
#define ROW_LIMIT(max_)                                                                                                \
    {                                                                                                                  \
        .name = "Limit", .type = PARAM_INTEGER, .offset = offsetof(struct list_params, limit), .min = 1, .max = (max_) \
    }
#define ROW_MARKER                                                                                                     \
    {                                                                                                                  \
        .name = "Marker", .type = PARAM_STRING, .offset = offsetof(struct list_params, marker), .min = 1,              \
        .max = MARKER_TEXT_MAX, .pattern = MARKER_PATTERN, .matches = marker_matches                                   \
    }

// responseElements {"keyId": the ARN of call->subject}, which KMS has even where the API returns nothing.
void trail_key_arn(struct json_write *w, struct call *call);
