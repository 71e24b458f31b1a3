// Recipient: attested calls, whose answer only the holder of an attestation document's private key can read. What
// Decrypt, GenerateDataKey, GenerateDataKeyPair, GenerateRandom and DeriveSharedSecret share; all have ROW_RECIPIENT
// (ops.h). Source: AWS KMS Developer Guide, "Cryptographic attestation support in AWS KMS".
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

// Step resolve: whether the document is true and has a public key that can be used; ValidationException when not. From
// then on policies can ask for what it says. Nothing is done for calls without Recipient.
MUST_CHECK const struct fault *recipient_resolve(struct call *call);
// Writes plaintext as the named member; of an attested call CiphertextForRecipient instead.
MUST_CHECK const struct fault *recipient_write(struct call *call, const char *member, struct span plaintext);
// additionalEventData {"recipient"} of an attested call, also of one that was refused later.
bool recipient_trail(struct json_write *w, struct call *call);
// Its one member, among others, of a call that is attested.
void recipient_trail_member(struct json_write *w, struct call *call);
