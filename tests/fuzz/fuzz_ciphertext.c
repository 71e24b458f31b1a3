// Any bytes as a ciphertext blob: parsed, and opened when they parse.
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ciphertext.h"
#include "kmsd/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[32];
    struct ciphertext c;
    unsigned char plain[KMS_PLAINTEXT_MAX];
    if (ciphertext_parse((struct span){(const char *)data, size}, &c) && ciphertext_open(&c, key, SPAN("x"), plain))
        __builtin_trap(); // nobody forges a tag
    return 0;
}
