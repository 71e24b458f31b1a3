// Any text as a pagination marker.
#include <stddef.h>
#include <stdint.h>

#include "kmsd/marker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct root_key *root;
    struct buf position;
    char why[256];
    if (!root)
        root = root_key_open(NULL, true, why, sizeof why);
    buf_init(&position, MARKER_TEXT_MAX);
    if (marker_read(root, SPAN("scope"), (struct span){(const char *)data, size}, &position))
        __builtin_trap();
    buf_done(&position);
    return 0;
}
