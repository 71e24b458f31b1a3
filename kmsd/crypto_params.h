// What the cryptographic operations share: op_crypto.c (Encrypt, data keys, random) and op_decrypt.c (Decrypt,
// ReEncrypt).
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ciphertext.h"
#include "kmsd/key.h"
#include "kmsd/ops.h"

extern const char *const encryption_algorithms[]; // the model's enum
// Only SYMMETRIC_DEFAULT works with a symmetric key; an absent algorithm means it.
MUST_CHECK const struct fault *crypto_check_algorithm(struct call *call, const struct key *key, struct span algorithm);
// The canonical form of a context; ValidationException when it is too long. buf_done() is the caller's.
MUST_CHECK const struct fault *crypto_context(struct call *call, const struct str_map *context, struct buf *canonical);
// Seals under the key's current material; writes the blob as the named member of the reply.
void crypto_seal(struct call *call, const struct key *key, struct span canonical, struct span plaintext,
                 const char *member);
// Recipient (Nitro enclaves) is not built.
MUST_CHECK const struct fault *crypto_no_recipient(struct call *call, const json_t *recipient);
// additionalEventData {"keyMaterialId"} of a successful call about call->subject2, a struct key_material.
bool crypto_trail_material(struct json_write *w, struct call *call);

extern const struct op op_decrypt_rows[];
