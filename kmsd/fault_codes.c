// The errors that a test can ask for: the exceptions of KMS and the common ones of AWS, with their HTTP status. Rows of
// their own, because dispatch and the trail know some of kmsd's own faults by address.
// Source: AWS KMS API reference, the errors of each operation and "Common Errors".
#include <stddef.h>

#include "kmsd/fault_rules.h"
#include "kmsd/faults.h"

static const struct fault rows[] = {
    {.code = "AlreadyExistsException", .status = 400},
    {.code = "CloudHsmClusterInUseException", .status = 400},
    {.code = "CloudHsmClusterInvalidConfigurationException", .status = 400},
    {.code = "CloudHsmClusterNotActiveException", .status = 400},
    {.code = "CloudHsmClusterNotFoundException", .status = 400},
    {.code = "CloudHsmClusterNotRelatedException", .status = 400},
    {.code = "ConflictException", .status = 400},
    {.code = "CustomKeyStoreHasCMKsException", .status = 400},
    {.code = "CustomKeyStoreInvalidStateException", .status = 400},
    {.code = "CustomKeyStoreNameInUseException", .status = 400},
    {.code = "CustomKeyStoreNotFoundException", .status = 400},
    {.code = "DependencyTimeoutException", .status = 503},
    {.code = "DisabledException", .status = 400},
    {.code = "DryRunOperationException", .status = 400},
    {.code = "ExpiredImportTokenException", .status = 400},
    {.code = "ExpiredTokenException",
     .status = 400,
     .message = "The security token included in the request is expired"},
    {.code = "IncorrectKeyException", .status = 400},
    {.code = "IncorrectKeyMaterialException", .status = 400},
    {.code = "IncorrectTrustAnchorException", .status = 400},
    {.code = "InvalidAliasNameException", .status = 400},
    {.code = "InvalidArnException", .status = 400},
    {.code = "InvalidCiphertextException", .status = 400},
    {.code = "InvalidGrantIdException", .status = 400},
    {.code = "InvalidGrantTokenException", .status = 400},
    {.code = "InvalidImportTokenException", .status = 400},
    {.code = "InvalidKeyUsageException", .status = 400},
    {.code = "InvalidMarkerException", .status = 400},
    {.code = "InternalFailure", .status = 500},
    {.code = "KMSInternalException", .status = 500},
    {.code = "KMSInvalidMacException", .status = 400},
    {.code = "KMSInvalidSignatureException", .status = 400},
    {.code = "KMSInvalidStateException", .status = 400},
    {.code = "KeyUnavailableException", .status = 500},
    {.code = "LimitExceededException", .status = 400},
    {.code = "MalformedPolicyDocumentException", .status = 400},
    {.code = "NotAuthorizedException", .status = 400},
    {.code = "NotFoundException", .status = 400},
    {.code = "ServiceUnavailable", .status = 503},
    {.code = "TagException", .status = 400},
    {.code = "ThrottlingException",
     .status = 400,
     .message = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."},
    {.code = "UnrecognizedClientException",
     .status = 400,
     .message = "The security token included in the request is invalid."},
    {.code = "UnsupportedOperationException", .status = 400},
    {.code = "ValidationException", .status = 400},
    {.code = "XksKeyAlreadyInUseException", .status = 400},
    {.code = "XksKeyInvalidConfigurationException", .status = 400},
    {.code = "XksKeyNotFoundException", .status = 400},
    {.code = "XksProxyIncorrectAuthenticationCredentialException", .status = 400},
    {.code = "XksProxyInvalidConfigurationException", .status = 400},
    {.code = "XksProxyInvalidResponseException", .status = 400},
    {.code = "XksProxyUriEndpointInUseException", .status = 400},
    {.code = "XksProxyUriInUseException", .status = 400},
    {.code = "XksProxyUriUnreachableException", .status = 400},
    {.code = "XksProxyVpcEndpointServiceInUseException", .status = 400},
    {.code = "XksProxyVpcEndpointServiceInvalidConfigurationException", .status = 400},
    {.code = "XksProxyVpcEndpointServiceNotFoundException", .status = 400},
    {NULL},
};

const struct fault *fault_by_code(struct span code)
{
    // The trail has a name of its own for this one.
    if (span_is(code, fault_access_denied.code))
        return &fault_access_denied;
    for (const struct fault *f = rows; f->code; f++)
        if (span_is(code, f->code))
            return f;
    return NULL;
}
