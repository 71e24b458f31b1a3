// What ddbd says to KMS and what comes back: request bodies and replies, without any sending.
// Source: KMS API reference; DynamoDB developer guide, "How DynamoDB uses AWS KMS" (encryption context, grants).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/secret.h"
#include "ddbd/table_info.h"

#define KMS_CODE_SIZE 64
#define KMS_MESSAGE_SIZE 1024
#define KMS_TOKEN_SIZE 8193 // AWS: a grant token has at most 8192 characters
#define KMS_DETAIL_SIZE (KMS_MESSAGE_SIZE + 512)

// ---- requests; every cryptographic one carries the table's encryption context (spec 8) ----

struct kms_context {
    const char *table;   // aws:dynamodb:tableName
    const char *account; // aws:dynamodb:subscriberId
};

void kms_body_describe_key(struct buf *b, struct span key_id);
// The grant of spec 10: to and retirable by the service in this Region.
void kms_body_create_grant(struct buf *b, const char *key_arn, const char *region, const struct kms_context *context,
                           const char *name);
void kms_body_generate_data_key(struct buf *b, const char *key_arn, const struct kms_context *context,
                                const char *grant_token); // NULL: without
void kms_body_decrypt(struct buf *b, struct span blob, const struct kms_context *context);
void kms_body_retire_grant(struct buf *b, const char *key_arn, const char *grant_id);

// ---- replies ----

enum kms_outcome {
    KMS_OK,
    KMS_ERROR,       // KMS answered with an error
    KMS_UNREACHABLE, // no answer that could be understood
};

struct kms_reply {
    enum kms_outcome outcome;
    int status;
    char request_id[KMS_CODE_SIZE];
    char code[KMS_CODE_SIZE];       // KMS_ERROR: "DisabledException"
    char message[KMS_MESSAGE_SIZE]; // KMS_ERROR: its text; KMS_UNREACHABLE: why
    // What the successful answer holds; empty when it does not.
    struct secret plaintext; // 32 bytes; whoever needs it takes it, kms_reply_done() wipes it
    unsigned char blob[KMS_BLOB_MAX];
    size_t blob_n;
    char key_arn[KMS_ARN_SIZE];
    char grant_id[GRANT_ID_SIZE];
    char grant_token[KMS_TOKEN_SIZE];
};

// Reads an HTTP answer (bounds first: anything too long or malformed is KMS_UNREACHABLE). The reply must be zeroed.
void kms_reply_read(struct kms_reply *r, int status, struct span request_id, struct span body);
void kms_reply_unreachable(struct kms_reply *r, const char *why);
void kms_reply_done(struct kms_reply *r);

// What the client of DynamoDB is told (spec 31). NULL when the outcome is KMS_OK.
const struct fault *kms_reply_fault(const struct kms_reply *r, char detail[KMS_DETAIL_SIZE]);
// The key cannot be used now, as opposed to "nobody can tell": disabled, being deleted, gone, denied.
bool kms_reply_key_lost(const struct kms_reply *r);
