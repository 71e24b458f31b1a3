// The head of an HTTP/1.x message as spans into the bytes it was parsed from: pure functions, no sockets, no memory.
//
// Strict where leniency would let two parties see two different requests (RFC 9112 sections 2.2, 3.2, 5.1, 5.2, 6.3,
// 11.2): bare CR or LF, NUL, folded lines, space before a colon, Content-Length twice or beside Transfer-Encoding are
// all errors.
#pragma once

#include "common/base/buf.h"

#define HTTP_HEAD_MAX (64 * 1024) // bytes of a head with its empty line; beyond: 431
#define HTTP_HEADERS_MAX 100      // header lines of a head; beyond: 431

struct http_header {
    struct span name;  // as it came
    struct span value; // white space around it removed, nothing else
};

struct http_headers {
    struct http_header at[HTTP_HEADERS_MAX]; // in the order they came
    size_t n;
};

// What the head says about the body and the connection.
struct http_framing {
    int64_t content_length; // -1: none given
    bool chunked;           // Transfer-Encoding: chunked
    bool keep_alive;        // by version and Connection header
    bool expect_continue;   // Expect: 100-continue
};

struct http_request {
    struct span method;    // as it came: methods are case-sensitive
    struct span target;    // path and query as they came, nothing decoded ("/?a=%20b"); begins with '/' or is "*"
    struct span version;   // "HTTP/1.1"
    struct span body;      // chunked framing removed; set by the server
    struct span peer;      // the client's address without port: "127.0.0.1", "::1"; set by the server
    bool peer_is_loopback; // set by the server
    struct http_framing framing;
    struct http_headers headers;
};

struct http_response {
    int status;
    struct span reason;
    struct http_framing framing;
    struct http_headers headers;
};

enum http_parse {
    HTTP_PARSE_OK,
    HTTP_PARSE_MORE, // the head is not complete
    HTTP_PARSE_BAD,
};

// Parses a request head. On HTTP_PARSE_OK out holds spans into the bytes and *consumed is the length of the head with
// its empty line; on HTTP_PARSE_BAD *status is the reply's status (400, 417, 431, 501, 505). An empty line before the
// request line is skipped (RFC 9112 2.2).
enum http_parse http_parse_head(struct span bytes, struct http_request *out, size_t *consumed, int *status);

// The same for the head of a response.
enum http_parse http_parse_response_head(struct span bytes, struct http_response *out, size_t *consumed);

// Looks for the end of a head that comes in pieces without reading a byte twice: *seen (0 at first) is where the last
// look ended. HTTP_PARSE_OK: the head is complete. HTTP_PARSE_BAD: a line ends in a bare LF or the head is too long.
enum http_parse http_head_complete(struct span bytes, size_t *seen);

// First header of this name, case-insensitive; NULL if there is none.
const struct http_header *http_headers_find(const struct http_headers *headers, const char *name);
// The next one of this name after `after` (NULL: from the start): how duplicates are seen.
const struct http_header *http_headers_next(const struct http_headers *headers, const char *name,
                                            const struct http_header *after);
// Value of the first header of this name; an empty span with p == NULL if there is none.
struct span http_request_header(const struct http_request *request, const char *name);
// How many headers have this name.
size_t http_request_header_count(const struct http_request *request, const char *name);
