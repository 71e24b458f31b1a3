// Any text as a number; what is accepted must survive printing, encoding and decoding.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ddbd/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct number v, again;
    size_t used;
    struct span text = {(const char *)data, size};
    if (number_decode(text, &v, &used) && used > size)
        abort();
    if (number_parse(text, &v) != NUMBER_OK)
        return 0;
    char out[NUMBER_TEXT_MAX];
    unsigned char enc[NUMBER_ENC_MAX];
    struct span printed = {out, number_format(&v, out)};
    if (printed.n >= sizeof out || number_parse(printed, &again) != NUMBER_OK || number_compare(&v, &again) != 0)
        abort();
    size_t n = number_encode(&v, enc);
    if (n > sizeof enc || !number_decode((struct span){(char *)enc, n}, &again, &used) || used != n ||
        memcmp(&v, &again, sizeof v) != 0)
        abort();
    return 0;
}
