// Hexadecimal and base64 (RFC 4648), strict when reading.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

void hex_encode(const void *bytes, size_t n, char *out); // 2n lower-case characters and a terminator
bool hex_decode(struct span text, void *out, size_t n);  // exactly n bytes, either case

// Appends the text form. Standard alphabet with padding.
bool base64_encode(struct buf *b, const void *bytes, size_t n);
// URL alphabet, no padding.
bool base64url_encode(struct buf *b, const void *bytes, size_t n);
// At most base64_decoded_max(n) bytes go to out. False unless text is canonical base64 with padding.
bool base64_decode(struct span text, unsigned char *out, size_t *n);
bool base64url_decode(struct span text, unsigned char *out, size_t *n);
static inline size_t base64_decoded_max(size_t n)
{
    return n / 4 * 3 + 3;
}

// RFC 3986 percent-encoding as SigV4 wants it: unreserved characters stay, '/' stays when keep_slash.
bool uri_encode(struct buf *b, struct span text, bool keep_slash);
// Decodes %XX; false on a bad escape.
bool uri_decode(struct buf *b, struct span text);

uint32_t crc32_of(struct span bytes); // as gzip and x-amz-crc32 use it
