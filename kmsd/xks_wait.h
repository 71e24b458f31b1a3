// Calls of KMS that wait for the proxy of an external key store. A step that needs the proxy asks xks_wait(), which
// returns &call_pending the first time; the call leaves the keyring, and starts again when the proxy has answered or
// failed. The same step then gets the answer, unless what it asks is no longer the same: then it waits again.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/key_store.h"
#include "kmsd/xks_message.h"

// What a call asks for: each at most once. ReEncrypt does both.
enum xks_slot { XKS_FIRST, XKS_SECOND, XKS_SLOTS };

// What the caller of KMS is told when it fails.
enum xks_purpose {
    XKS_MANAGING, // exceptions of CreateCustomKeyStore and UpdateCustomKeyStore
    XKS_CREATING, // of CreateKey
    XKS_USING,    // KMSInvalidStateException
};

// q->origin: only key_arn is the caller's. NULL: *reply is there, valid as long as the call.
MUST_CHECK const struct fault *xks_wait(struct call *call, enum xks_slot slot, enum xks_purpose purpose,
                                        const struct key_store *store, struct xks_request *q,
                                        const struct xks_reply **reply);
// The fault for a failure, with its sentence.
MUST_CHECK const struct fault *xks_fault(struct call *call, enum xks_purpose purpose, enum xks_failure failure);
// Keeps *plaintext (memory that lives as long as the call) with the slot; the next time *plaintext becomes what was
// kept.
void xks_wait_plaintext(struct call *call, enum xks_slot slot, struct span *plaintext);
