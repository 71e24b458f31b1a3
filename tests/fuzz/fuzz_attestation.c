// Any bytes as an attestation document: read, asked for what policies ask for, and verified when they can be read.
#include <stddef.h>
#include <stdint.h>

#include "kmsd/attestation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct attestation_root *root;
    char why[256];
    struct attestation a;
    struct span value;
    if (!root)
        root = attestation_root_load(TEST_DATA_DIR "/attestation/root.pem", why, sizeof why);
    if (!root)
        __builtin_trap();
    if (!attestation_parse((struct span){(const char *)data, size}, &a, why, sizeof why))
        return 0;
    bool tpm = a.platform == ATTESTATION_NITRO_TPM;
    if (attestation_condition(&a, SPAN("kms:RecipientAttestation:ImageSha384"), &value) && tpm)
        __builtin_trap();
    (void)!attestation_verify(&a, root, a.timestamp_ns, why, sizeof why);
    return 0;
}
