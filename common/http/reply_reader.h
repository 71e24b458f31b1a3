// Gathers one reply of a peer from the bytes of a connection: head, framing, body. For client.c.
#pragma once

#include "common/http/chunked.h"
#include "common/http/client.h"

struct reply_reader {
    char *in;
    size_t len, cap;
    size_t high; // bytes ever used, all to be wiped
    size_t max;  // head and body
    size_t head_seen, head_len;
    size_t body_len; // content found so far
    size_t length;   // of the whole reply, once it is complete
    bool head_done;
    bool to_head_request;
    bool until_close; // the body ends with the connection
    struct http_chunked chunked;
    struct http_response response;
};

void reply_reader_init(struct reply_reader *r, size_t max, bool to_head_request);
void reply_reader_done(struct reply_reader *r); // wiped
// Where the next bytes go; at least 1. NULL: out of memory.
char *reply_reader_room(struct reply_reader *r, size_t *n);
// n bytes came. HTTP_PARSE_OK: complete, response and body are valid. HTTP_PARSE_BAD: *failure says why.
enum http_parse reply_reader_got(struct reply_reader *r, size_t n, enum http_client_failure *failure);
// The peer closed: whether that completes the reply.
bool reply_reader_closed(struct reply_reader *r);
struct span reply_reader_body(const struct reply_reader *r);
// The connection can take another request.
bool reply_reader_reusable(const struct reply_reader *r);
