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
ROW(fault_expired_import_token, "ExpiredImportTokenException", "The import token is expired.");
ROW(fault_invalid_import_token, "InvalidImportTokenException", "The import token is not valid.");
ROW(fault_incorrect_key_material, "IncorrectKeyMaterialException", NULL);
ROW(fault_incorrect_key, "IncorrectKeyException",
    "The key ID in the request does not identify a CMK that can perform this operation.");
ROW(fault_invalid_ciphertext, "InvalidCiphertextException", NULL);
ROW(fault_wrong_signature, "KMSInvalidSignatureException", NULL);
ROW(fault_wrong_mac, "KMSInvalidMacException", NULL);
ROW(fault_invalid_grant_token, "InvalidGrantTokenException", "The grant token is not valid.");
ROW(fault_invalid_grant_id, "InvalidGrantIdException", "The grant id is not valid.");
ROW(fault_invalid_marker, "InvalidMarkerException", "The marker is not valid.");
ROW(fault_throttling, "ThrottlingException",
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.");
ROW(fault_limit_exceeded, "LimitExceededException", NULL);
ROW(fault_conflict, "ConflictException", NULL);
ROW(fault_already_exists, "AlreadyExistsException", NULL);
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

ROW(fault_store_not_found, "CustomKeyStoreNotFoundException", NULL);
ROW(fault_store_name_in_use, "CustomKeyStoreNameInUseException", NULL);
ROW(fault_store_has_keys, "CustomKeyStoreHasCMKsException", NULL);
ROW(fault_store_state, "CustomKeyStoreInvalidStateException", NULL);
ROW(fault_cluster_not_found, "CloudHsmClusterNotFoundException", NULL);
ROW(fault_cluster_in_use, "CloudHsmClusterInUseException", NULL);
ROW(fault_cluster_not_active, "CloudHsmClusterNotActiveException", NULL);
ROW(fault_cluster_configuration, "CloudHsmClusterInvalidConfigurationException", NULL);
ROW(fault_cluster_not_related, "CloudHsmClusterNotRelatedException", NULL);
ROW(fault_trust_anchor, "IncorrectTrustAnchorException", NULL);
ROW(fault_proxy_uri_in_use, "XksProxyUriInUseException", NULL);
ROW(fault_proxy_endpoint_in_use, "XksProxyUriEndpointInUseException", NULL);
ROW(fault_proxy_unreachable, "XksProxyUriUnreachableException", NULL);
ROW(fault_proxy_credential, "XksProxyIncorrectAuthenticationCredentialException", NULL);
ROW(fault_proxy_response, "XksProxyInvalidResponseException", NULL);
ROW(fault_proxy_configuration, "XksProxyInvalidConfigurationException", NULL);
ROW(fault_vpc_service_in_use, "XksProxyVpcEndpointServiceInUseException", NULL);
ROW(fault_vpc_service_not_found, "XksProxyVpcEndpointServiceNotFoundException", NULL);
ROW(fault_xks_key_in_use, "XksKeyAlreadyInUseException", NULL);
ROW(fault_xks_key_not_found, "XksKeyNotFoundException", NULL);
ROW(fault_xks_key_configuration, "XksKeyInvalidConfigurationException", NULL);
