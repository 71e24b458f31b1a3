// Any text as a grant token.
#include <stddef.h>
#include <stdint.h>

#include "kmsd/grant_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct root_key *root;
    unsigned char id[GRANT_ID_SIZE];
    char why[256];
    if (!root)
        root = root_key_open(NULL, true, why, sizeof why);
    if (grant_token_read(root, (struct span){(const char *)data, size}, id))
        __builtin_trap();
    return 0;
}
