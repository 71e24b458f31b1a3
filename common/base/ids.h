// Identifiers in AWS's forms.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/rng.h"

#define UUID_TEXT_SIZE 37
#define DDB_REQUEST_ID_SIZE 53
#define REQUEST_ID_SIZE DDB_REQUEST_ID_SIZE // the longer of the two forms

// Random UUID (version 4), lower case.
void id_uuid(struct rng *r, char out[UUID_TEXT_SIZE]);
bool id_is_uuid(struct span text);
bool id_is_account(struct span text); // twelve digits
// DynamoDB's form: 52 characters of [A-Z0-9] with the constant tail that all of them share.
void id_dynamodb_request(struct rng *r, char out[DDB_REQUEST_ID_SIZE]);
// 2n lower-case hexadecimal characters and a terminator.
void id_hex(struct rng *r, size_t n_bytes, char *out);
// n characters of [A-Za-z0-9] and a terminator.
void id_alnum(struct rng *r, size_t n, char *out);
// A principal id such as AIDA… or AROA… derived from the ARN, so that it never changes: prefix + 17 of [A-Z2-7].
void id_principal(const char *prefix, const char *arn, char out[22]);
