// Encrypting under a KMS key, whichever kind it is: what Encrypt, Decrypt, ReEncrypt and the data keys share. Symmetric
// keys seal into AWS's blob (ciphertext.h), asymmetric ones into the bare ciphertext of their algorithm (crypto_pke.h).
#pragma once

#include "common/rpc/call.h"
#include "kmsd/key.h"
#include "kmsd/seal.h"

extern const char *const encryption_algorithms[]; // in the order of AWS's sentence

// One encryption or decryption that a request asks for.
struct encryption {
    const struct key *key;
    const char *algorithm; // one of the key spec's
    struct span context;   // canonical, in the call's arena; empty for asymmetric keys
    // Of keys in external key stores:
    bool data_key;      // nobody else has the plaintext: the proxy must prove that it will decrypt what it gives
    enum xks_slot slot; // which of the call's questions to proxies it is
};

// An absent algorithm means this one.
bool encryption_is_symmetric(struct span algorithm);
// Whether the key can do it so: InvalidKeyUsageException for an algorithm that it does not have, ValidationException
// for a context that is too long, or for any on an asymmetric key.
MUST_CHECK const struct fault *encryption_prepare(struct call *call, const struct key *key, struct span algorithm,
                                                  const struct str_map *context, struct encryption *out);
// Whether the algorithm takes a plaintext of n bytes.
MUST_CHECK const struct fault *encryption_fits(struct call *call, const struct encryption *e, size_t n);
// Encrypts under the key's current material; writes the ciphertext as the named member of the reply. &call_pending:
// waits for the proxy of an external key store (xks_wait.h), after which the call comes here again; *plaintext is then
// what it was before, so that who makes it anew each time (data keys) takes it from there.
MUST_CHECK const struct fault *encryption_seal(struct call *call, const struct encryption *e, struct span *plaintext,
                                               const char *member);

// What the trail says about key material: only symmetric keys have material of which there can be several.
// additionalEventData {"keyMaterialId"} of a successful call about call->subject2, a struct key_material; of keys in
// custom key stores {"customKeyStoreId"[, "xksKeyId"]}, also when they could not be used. call->subject is the key.
// Attested calls have {"recipient"} instead of the material, as in AWS's records.
bool encryption_trail_material(struct json_write *w, struct call *call);
