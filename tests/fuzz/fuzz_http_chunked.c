// The chunked coding: first byte of the input = size of the pieces. Decoding in pieces and at once must agree.
#include <stdlib.h>
#include <string.h>

#include "common/http/chunked.h"

#define MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Decodes a copy; content gets what was found.
static enum http_parse run(const uint8_t *data, size_t size, size_t piece, char *content, size_t *n, size_t *used)
{
    struct http_chunked d;
    enum http_parse r = HTTP_PARSE_MORE;
    *n = *used = 0;
    http_chunked_init(&d, MAX);
    while (*used < size && r == HTTP_PARSE_MORE) {
        size_t take = size - *used < piece ? size - *used : piece, consumed, produced;
        char *bytes = malloc(take);
        if (!bytes)
            abort();
        memcpy(bytes, data + *used, take);
        r = http_chunked_decode(&d, bytes, take, &consumed, &produced);
        if (consumed > take || produced > consumed || *n + produced > MAX || (r == HTTP_PARSE_MORE && consumed != take))
            abort();
        memcpy(content + *n, bytes, produced);
        *n += produced;
        *used += consumed;
        free(bytes);
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole[MAX], pieces[MAX];
    size_t n_whole, n_pieces, used_whole, used_pieces;
    if (size < 2)
        return 0;
    enum http_parse a = run(data + 1, size - 1, size - 1, whole, &n_whole, &used_whole);
    enum http_parse b = run(data + 1, size - 1, data[0] % 16 + 1, pieces, &n_pieces, &used_pieces);
    if (a != b || n_whole != n_pieces || used_whole != used_pieces || memcmp(whole, pieces, n_whole) != 0)
        abort();
    return 0;
}
