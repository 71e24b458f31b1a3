// Removes the chunked transfer coding (RFC 9112 section 7.1) in place, in whatever pieces the bytes come.
#pragma once

#include "common/http/request.h"

struct http_chunked {
    int state;
    uint64_t left; // of the chunk being read; its size while that is read
    size_t line;   // bytes of the line being read, all trailer lines together
    uint64_t total;
    uint64_t max;
    bool too_large; // why it was HTTP_PARSE_BAD: more than max bytes of content
};

// max: bytes of content.
void http_chunked_init(struct http_chunked *d, uint64_t max);

// Decodes bytes[0..n): the content found is moved to the front, *produced says how much. HTTP_PARSE_MORE: all bytes
// were taken, the body goes on. HTTP_PARSE_OK: the body ended after *consumed bytes; the rest is untouched.
// HTTP_PARSE_BAD: malformed (sizes that are not plain hexadecimal, bare CR or LF, lines over 1 KiB, trailers over 8
// KiB) or too_large. Extensions and trailers are dropped.
enum http_parse http_chunked_decode(struct http_chunked *d, char *bytes, size_t n, size_t *consumed, size_t *produced);
