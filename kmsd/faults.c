// The rows behind faults.h. Every KMS fault is a 400, but for the two that are the service's own; the sentences are
// those of real replies (a NULL message: AWS sends none).
#include "kmsd/faults.h"

#include <stddef.h>

#define ROW(name_, code_, message_) const struct fault name_ = {.code = (code_), .status = 400, .message = (message_)}

ROW(fault_validation, "ValidationException", NULL);
ROW(fault_serialization, "SerializationException", NULL);
ROW(fault_unknown_operation, "UnknownOperationException", NULL);
ROW(fault_unsupported, "UnsupportedOperationException", NULL);
ROW(fault_not_found, "NotFoundException", NULL);
ROW(fault_invalid_arn, "InvalidArnException", NULL);
ROW(fault_disabled, "DisabledException", NULL);
ROW(fault_invalid_state, "KMSInvalidStateException", NULL);
ROW(fault_invalid_key_usage, "InvalidKeyUsageException", NULL);
ROW(fault_asymmetric_data_key, "InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK");
ROW(fault_incorrect_key, "IncorrectKeyException",
    "The key ID in the request does not identify a CMK that can perform this operation.");
ROW(fault_invalid_ciphertext, "InvalidCiphertextException", NULL);
ROW(fault_wrong_signature, "KMSInvalidSignatureException", NULL);
ROW(fault_wrong_mac, "KMSInvalidMacException", NULL);
ROW(fault_invalid_grant_token, "InvalidGrantTokenException", "The grant token is not valid.");
ROW(fault_invalid_grant_id, "InvalidGrantIdException", "The grant id is not valid.");
ROW(fault_invalid_marker, "InvalidMarkerException", "The marker is not valid.");
ROW(fault_limit_exceeded, "LimitExceededException", NULL);
ROW(fault_conflict, "ConflictException", NULL);
ROW(fault_already_exists, "AlreadyExistsException", NULL);
ROW(fault_invalid_alias_name, "InvalidAliasNameException", NULL);
ROW(fault_not_authorized, "NotAuthorizedException", NULL);
ROW(fault_malformed_policy, "MalformedPolicyDocumentException", NULL);
ROW(fault_tag, "TagException", NULL);
ROW(fault_dry_run, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.");

// This one spells its member with a capital M.
const struct fault fault_access_denied = {.code = "AccessDeniedException", .status = 400, .member = "Message"};

const struct fault fault_key_unavailable = {.code = "KeyUnavailableException", .status = 500};
const struct fault fault_internal = {
    .code = "KMSInternalException", .status = 500, .message = "An internal failure happened; nothing was changed."};
const struct fault fault_unavailable = {
    .code = "KMSInternalException",
    .status = 500,
    .message = "The call was refused because its record or its change could not be written."};
