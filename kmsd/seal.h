// Sealing under a symmetric KMS key and opening what was sealed, wherever its key material lies: in kmsd, in a cluster,
// or (once more) behind the proxy of an external key store, for which the call waits (xks_wait.h).
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ciphertext.h"
#include "kmsd/key.h"
#include "kmsd/xks_message.h"
#include "kmsd/xks_wait.h"

// A ciphertext blob taken apart.
struct sealed {
    const unsigned char *backing_id;
    bool external; // of a key in an external key store
    struct ciphertext own;
    struct xks_blob outer;
};

// False unless the bytes are a blob of either form (nothing is authenticated yet).
MUST_CHECK bool sealed_parse(struct span blob, struct sealed *out);

// Seals under the key's current material. context: the canonical encryption context. After a wait *plaintext is what it
// was before it: what a caller makes anew each time (data keys) must be taken from there. data_key: nobody else has it.
MUST_CHECK const struct fault *seal(struct call *call, enum xks_slot slot, const struct key *key, struct span context,
                                    bool data_key, struct span *plaintext, struct span *blob);
// Opens into memory that is wiped with the call. InvalidCiphertextException when anything differs from what was sealed;
// behind a proxy KMSInvalidStateException.
MUST_CHECK const struct fault *seal_open(struct call *call, enum xks_slot slot, const struct sealed *s,
                                         const struct key_material *m, struct span context, struct span *plaintext);
// Members of additionalEventData of a call that used the key: "customKeyStoreId"[, "xksKeyId"] of a key in a custom key
// store, else "keyMaterialId". m NULL: only the former. False: there are none. w NULL: only asks.
bool seal_trail(struct json_write *w, const struct key *key, const struct key_material *m);
