// Any bytes as an import token, and as what is sealed in one.
#include <stddef.h>
#include <stdint.h>

#include "kmsd/crypto_sym.h"
#include "kmsd/import_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct root_key *root;
    static unsigned char sealed[IMPORT_TOKEN_MAX];
    struct import_token t;
    char why[256];
    if (!root)
        root = root_key_open(NULL, true, why, sizeof why);
    if (import_token_read(root, (struct span){(const char *)data, size}, &t))
        __builtin_trap();
    size_t head = 1 + SYM_IV_SIZE;
    if (size > sizeof sealed - head - SYM_TAG_SIZE)
        return 0;
    sealed[0] = 1;
    struct span aad[2] = {SPAN(IMPORT_TOKEN_LABEL), {NULL, 0}}, plain = {(const char *)data, size};
    sym_seal(root->import_token, sealed + 1, aad, (struct span){NULL, 0}, plain, sealed + head);
    if (import_token_read(root, (struct span){(char *)sealed, head + size + SYM_TAG_SIZE}, &t))
        import_token_done(&t);
    return 0;
}
