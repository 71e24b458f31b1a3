// kmsd's own faults: AWS KMS's exceptions as clients see them. Authentication's are common/auth's.
#pragma once

#include "common/base/fault.h"

extern const struct fault fault_validation;           // ValidationException
extern const struct fault fault_serialization;        // SerializationException
extern const struct fault fault_unknown_operation;    // UnknownOperationException
extern const struct fault fault_unsupported;          // UnsupportedOperationException
extern const struct fault fault_access_denied;        // AccessDeniedException
extern const struct fault fault_internal;             // KMSInternalException
extern const struct fault fault_unavailable;          // KMSInternalException: the trail or the store cannot be written
extern const struct fault fault_not_found;            // NotFoundException
extern const struct fault fault_invalid_arn;          // InvalidArnException
extern const struct fault fault_disabled;             // DisabledException
extern const struct fault fault_invalid_state;        // KMSInvalidStateException
extern const struct fault fault_expired_import_token; // ExpiredImportTokenException
extern const struct fault fault_invalid_import_token; // InvalidImportTokenException
extern const struct fault fault_incorrect_key_material; // IncorrectKeyMaterialException
extern const struct fault fault_key_unavailable;        // KeyUnavailableException
extern const struct fault fault_invalid_key_usage;      // InvalidKeyUsageException
extern const struct fault fault_asymmetric_data_key; // InvalidKeyUsageException: GenerateDataKey wants a symmetric key
extern const struct fault fault_incorrect_key;       // IncorrectKeyException
extern const struct fault fault_invalid_ciphertext;  // InvalidCiphertextException, without a text as AWS sends it
extern const struct fault fault_wrong_signature;     // KMSInvalidSignatureException, without a text too
extern const struct fault fault_wrong_mac;           // KMSInvalidMacException, without a text too
extern const struct fault fault_invalid_grant_token; // InvalidGrantTokenException
extern const struct fault fault_invalid_grant_id;    // InvalidGrantIdException
extern const struct fault fault_invalid_marker;      // InvalidMarkerException
extern const struct fault fault_throttling;          // ThrottlingException
extern const struct fault fault_limit_exceeded;      // LimitExceededException
extern const struct fault fault_conflict;            // ConflictException
extern const struct fault fault_already_exists;      // AlreadyExistsException
extern const struct fault fault_not_authorized;      // NotAuthorizedException (alias/aws/… by a customer)
extern const struct fault fault_malformed_policy;    // MalformedPolicyDocumentException
extern const struct fault fault_tag;                 // TagException
extern const struct fault fault_dry_run;             // DryRunOperationException

// Custom key stores.
extern const struct fault fault_store_not_found;       // CustomKeyStoreNotFoundException
extern const struct fault fault_store_name_in_use;     // CustomKeyStoreNameInUseException
extern const struct fault fault_store_has_keys;        // CustomKeyStoreHasCMKsException
extern const struct fault fault_store_state;           // CustomKeyStoreInvalidStateException
extern const struct fault fault_cluster_not_found;     // CloudHsmClusterNotFoundException
extern const struct fault fault_cluster_in_use;        // CloudHsmClusterInUseException
extern const struct fault fault_cluster_not_active;    // CloudHsmClusterNotActiveException
extern const struct fault fault_cluster_configuration; // CloudHsmClusterInvalidConfigurationException
extern const struct fault fault_cluster_not_related;   // CloudHsmClusterNotRelatedException
extern const struct fault fault_trust_anchor;          // IncorrectTrustAnchorException
extern const struct fault fault_proxy_uri_in_use;      // XksProxyUriInUseException
extern const struct fault fault_proxy_endpoint_in_use; // XksProxyUriEndpointInUseException
extern const struct fault fault_proxy_unreachable;     // XksProxyUriUnreachableException
extern const struct fault fault_proxy_credential;      // XksProxyIncorrectAuthenticationCredentialException
extern const struct fault fault_proxy_response;        // XksProxyInvalidResponseException
extern const struct fault fault_proxy_configuration;   // XksProxyInvalidConfigurationException
extern const struct fault fault_vpc_service_in_use;    // XksProxyVpcEndpointServiceInUseException
extern const struct fault fault_vpc_service_not_found; // XksProxyVpcEndpointServiceNotFoundException
extern const struct fault fault_xks_key_in_use;        // XksKeyAlreadyInUseException
extern const struct fault fault_xks_key_not_found;     // XksKeyNotFoundException
extern const struct fault fault_xks_key_configuration; // XksKeyInvalidConfigurationException
