// Attestation documents of Nitro enclaves and of NitroTPM: what is in them, and whether it is true.
// A document is a COSE_Sign1 (RFC 9052; ES384) around a CBOR map, signed by a certificate that it carries with the
// chain up to AWS's root. Reading knows nothing of certificates (attestation.c), verifying nothing of the map
// (attestation_verify.c).
// Sources: AWS Nitro Enclaves User Guide, "Verifying the root of trust"; Amazon EC2 User Guide, "Validate a NitroTPM
// Attestation Document". Both give the members, their types and their bounds.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define ATTESTATION_PCRS 32
#define ATTESTATION_PCR_MAX 64
#define ATTESTATION_CERTIFICATES_MAX 16 // of a cabundle; AWS's have four
#define ATTESTATION_AGE_MAX_S 300

enum attestation_platform { ATTESTATION_ENCLAVE, ATTESTATION_NITRO_TPM };

// All spans lie in the document's bytes.
struct attestation {
    enum attestation_platform platform; // whether the document has pcrs or nitrotpm_pcrs
    struct span module_id;
    int64_t timestamp_ns;
    char pcrs[ATTESTATION_PCRS][2 * ATTESTATION_PCR_MAX + 1]; // lower-case hexadecimal; empty: not in the document
    struct span certificate;                                  // of who signed it, DER
    struct span cabundle[ATTESTATION_CERTIFICATES_MAX];
    size_t cabundle_n;
    struct span public_key, user_data, nonce; // p NULL: absent
    struct span protected, payload, signature;
};

// False with a reason that names the member ("pcrs must be ..."). Nothing of what is read is verified.
MUST_CHECK bool attestation_parse(struct span document, struct attestation *out, char *why, size_t why_size);

// The value of a policy's condition key that asks for what a document says: kms:RecipientAttestation:ImageSha384 (PCR0)
// and :PCR<n> of enclaves, :NitroTPMPCR<n>. The names do not know case. False: another key, or nothing of the kind.
MUST_CHECK bool attestation_condition(const struct attestation *a, struct span key, struct span *value);

// The certificates at which a chain may end.
struct attestation_root;

// From a PEM file with one or several certificates. NULL with a reason.
struct attestation_root *attestation_root_load(const char *path, char *why, size_t why_size);
void attestation_root_free(struct attestation_root *root);
// Whether the chain leads to a root, all certificates are valid at now_ns (nanoseconds since 1970), the signature is
// the certificate's, and the document is at most five minutes old. False with a sentence. Any thread.
MUST_CHECK bool attestation_verify(const struct attestation *a, struct attestation_root *root, int64_t now_ns,
                                   char *why, size_t why_size);
