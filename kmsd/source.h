// A ciphertext in a request: which key it was made with, who may use it, what is inside. For Decrypt and ReEncrypt.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/key.h"
#include "kmsd/ops.h"
#include "kmsd/seal.h"

// The resolver fills what KMS finds out about it.
struct source {
    struct span blob;
    struct span key_id; // as the caller named it; p NULL: the ciphertext says
    struct span algorithm;
    struct span_list modifiers; // DryRunModifiers
    struct sealed parsed;
    const struct key_material *material; // NULL: an asymmetric key's, or no ciphertext that was made here
    struct key *key;                     // the one to ask for rights
};

extern const char *const source_modifiers[]; // the model's enum of DryRunModifiers

// A dry run may do without a ciphertext, if a key is named.
bool source_ignored(const struct call *call, const struct source *s);
// Step resolve. member: what names the key in this operation.
MUST_CHECK const struct fault *source_resolve(struct call *call, struct source *s, const char *member);
// Step authorize: asks for the action on the source's key, with the context in the call's parameters.
MUST_CHECK const struct fault *source_authorize(struct call *call, const struct source *s, const char *action,
                                                enum grant_operation operation);
// Opens the ciphertext into memory that is wiped with the call. *algorithm is the one it was made with. &call_pending:
// waits for the proxy of an external key store, after which the call comes here again.
MUST_CHECK const struct fault *source_open(struct call *call, const struct source *s, const struct str_map *context,
                                           struct span *plaintext, const char **algorithm);
