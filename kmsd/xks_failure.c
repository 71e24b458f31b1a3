// The rows behind xks_failure.h, read by xks_message.c (names), xks_wait.c (sentences and faults) and connect_job.c.
#include "kmsd/xks_failure.h"

#include "kmsd/faults.h"

#define AGAIN_ADMINISTRATOR                                                                                            \
    "If you see this error repeatedly, report it to your external key store proxy administrator."
#define NOT_UNDERSTOOD "AWS KMS cannot interpret the response from the external key store proxy. " AGAIN_ADMINISTRATOR
#define REJECTED "The external key store proxy rejected the request because "

const struct xks_failure_row xks_failures[XKS_FAILURES] = {
    [XKS_OK] = {0},
    [XKS_VALIDATION] = {"ValidationException", NOT_UNDERSTOOD, &fault_proxy_response, &fault_store_state,
                        CONNECTION_PROXY_INVALID_RESPONSE},
    [XKS_INVALID_STATE] = {"InvalidStateException",
                           REJECTED "the external key is not enabled in the external key manager.",
                           &fault_proxy_configuration, &fault_xks_key_configuration,
                           CONNECTION_PROXY_INVALID_CONFIGURATION},
    [XKS_INVALID_CIPHERTEXT] = {"InvalidCiphertextException",
                                REJECTED "the specified ciphertext or additional authenticated data is corrupted, "
                                         "missing, or otherwise invalid.",
                                &fault_proxy_response, &fault_store_state, CONNECTION_PROXY_INVALID_RESPONSE},
    [XKS_INVALID_KEY_USAGE] = {"InvalidKeyUsageException",
                               REJECTED "the external key does not support the requested operation.",
                               &fault_proxy_response, &fault_xks_key_configuration, CONNECTION_PROXY_INVALID_RESPONSE},
    [XKS_AUTHENTICATION_FAILED] = {"AuthenticationFailedException",
                                   REJECTED "it could not authenticate AWS KMS. Verify the credentials for your "
                                            "external key store and update if necessary.",
                                   &fault_proxy_credential, &fault_store_state, CONNECTION_INVALID_CREDENTIALS},
    [XKS_ACCESS_DENIED] = {"AccessDeniedException",
                           "The external key store proxy denied access to the operation. Verify that the user and the "
                           "external key are both authorized for this operation, and try the request again.",
                           &fault_proxy_configuration, &fault_store_state, CONNECTION_PROXY_ACCESS_DENIED},
    [XKS_KEY_NOT_FOUND] = {"KeyNotFoundException", REJECTED "it could not find the external key.",
                           &fault_proxy_response, &fault_xks_key_not_found, CONNECTION_PROXY_INVALID_RESPONSE},
    [XKS_INVALID_URI_PATH] = {"InvalidUriPathException",
                              REJECTED "of an invalid URI path. Verify the URI path for your external key store and "
                                       "update if necessary.",
                              &fault_proxy_configuration, &fault_store_state, CONNECTION_PROXY_INVALID_CONFIGURATION},
    [XKS_THROTTLING] = {"ThrottlingException",
                        "The external key store proxy rejected the request due to a very high request rate. Reduce the "
                        "frequency of your calls using KMS keys in this external key store.",
                        &fault_proxy_unreachable, &fault_store_state, CONNECTION_PROXY_NOT_REACHABLE},
    [XKS_UNSUPPORTED_OPERATION] = {"UnsupportedOperationException",
                                   REJECTED "it does not support the requested cryptographic operation.",
                                   &fault_proxy_response, &fault_store_state, CONNECTION_PROXY_INVALID_RESPONSE},
    [XKS_DEPENDENCY_TIMEOUT] = {"DependencyTimeoutException",
                                "The external key store proxy did not respond to the request in the time allotted. "
                                "Retry the request. " AGAIN_ADMINISTRATOR,
                                &fault_proxy_unreachable, &fault_store_state, CONNECTION_PROXY_TIMED_OUT},
    [XKS_INTERNAL] = {"InternalException",
                      REJECTED "it cannot communicate with the external key manager. Verify that the external key "
                               "store proxy configuration is correct and that the external key manager is available.",
                      &fault_proxy_response, &fault_store_state, CONNECTION_PROXY_INVALID_RESPONSE},
    [XKS_UNREACHABLE] = {NULL,
                         "AWS KMS cannot communicate with the external key store proxy. This might be a transient "
                         "network issue. If you see this error repeatedly, verify that your external key store proxy "
                         "is active and is connected to the network, and that its endpoint URI is correct in your "
                         "external key store.",
                         &fault_proxy_unreachable, &fault_store_state, CONNECTION_PROXY_NOT_REACHABLE},
    [XKS_NO_TLS] = {NULL,
                    "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS "
                    "configuration, including its certificate.",
                    &fault_proxy_unreachable, &fault_store_state, CONNECTION_PROXY_INVALID_TLS},
    [XKS_TIMED_OUT] = {NULL,
                       "AWS KMS rejected the request because the external key store proxy did not respond in time. "
                       "Retry the request. " AGAIN_ADMINISTRATOR,
                       &fault_proxy_unreachable, &fault_store_state, CONNECTION_PROXY_TIMED_OUT},
    [XKS_MALFORMED] = {NULL, NOT_UNDERSTOOD, &fault_proxy_response, &fault_store_state,
                       CONNECTION_PROXY_INVALID_RESPONSE},
    [XKS_UNHEALTHY] = {NULL,
                       "The external key store proxy is in an unhealthy state. If you see this message repeatedly, "
                       "notify your external key store proxy administrator.",
                       &fault_proxy_unreachable, &fault_store_state, CONNECTION_PROXY_NOT_REACHABLE},
    [XKS_WRONG_PLAINTEXT] = {NULL,
                             "The ciphertext that the external key store proxy submitted for decryption, or the "
                             "encryption context, is corrupted, missing, or otherwise invalid.",
                             &fault_proxy_response, &fault_store_state, CONNECTION_PROXY_INVALID_RESPONSE},
};

enum xks_failure xks_failure_find(struct span name)
{
    for (int i = 0; i < XKS_FAILURES; i++)
        if (xks_failures[i].name && span_is(name, xks_failures[i].name))
            return (enum xks_failure)i;
    return XKS_MALFORMED;
}
