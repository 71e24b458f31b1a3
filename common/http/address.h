// Socket addresses as text, numeric only: "127.0.0.1:4599", "[::1]:0".
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/buf.h"

#define HTTP_PEER_MAX INET6_ADDRSTRLEN

struct http_address {
    struct sockaddr_storage sa;
    socklen_t len;
};

// "a.b.c.d:port", "[v6]:port", "localhost:port" (= 127.0.0.1). False when malformed.
bool http_address_parse(const char *text, struct http_address *out);
// The same form back.
void http_address_format(const struct http_address *a, char *out, size_t size);
// The address without port; IPv4 in IPv6 as IPv4.
void http_address_host(const struct http_address *a, char out[HTTP_PEER_MAX]);
bool http_address_is_loopback(const struct http_address *a);
// Decimal port 0..65535. False when malformed.
bool http_port_parse(struct span text, uint16_t *port);
