// What can go wrong between KMS and the proxy of an external key store, and what KMS's callers are told.
// Source: AWS KMS External Key Store Proxy API specification, "Error codes"; KMS Developer Guide, "Troubleshooting
// external key stores".
#pragma once

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "kmsd/key_store.h"

enum xks_failure {
    XKS_OK,
    // Told by the proxy, by name.
    XKS_VALIDATION,
    XKS_INVALID_STATE,
    XKS_INVALID_CIPHERTEXT,
    XKS_INVALID_KEY_USAGE,
    XKS_AUTHENTICATION_FAILED,
    XKS_ACCESS_DENIED,
    XKS_KEY_NOT_FOUND,
    XKS_INVALID_URI_PATH,
    XKS_THROTTLING,
    XKS_UNSUPPORTED_OPERATION,
    XKS_DEPENDENCY_TIMEOUT,
    XKS_INTERNAL,
    // Found out by KMS.
    XKS_UNREACHABLE,
    XKS_NO_TLS,
    XKS_TIMED_OUT,
    XKS_MALFORMED,       // no answer of the specification
    XKS_UNHEALTHY,       // none of its key managers is available
    XKS_WRONG_PLAINTEXT, // what it deciphered is not what KMS had given it
    XKS_FAILURES
};

struct xks_failure_row {
    const char *name;                 // errorName of the proxy; NULL: not told by name
    const char *sentence;             // KMS's, whatever the exception
    const struct fault *managing;     // of CreateCustomKeyStore and UpdateCustomKeyStore
    const struct fault *creating;     // of CreateKey; cryptographic operations: always KMSInvalidStateException
    enum connection_error connecting; // of ConnectCustomKeyStore
};

extern const struct xks_failure_row xks_failures[XKS_FAILURES];
enum xks_failure xks_failure_find(struct span name); // XKS_MALFORMED: no such name
