// Socket addresses as text. Used by the server (listening, peers) and the client; resolves no names.
#include "common/http/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool http_port_parse(struct span text, uint16_t *port)
{
    unsigned v = 0;
    if (text.n == 0 || text.n > 5)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(text.p[i] - '0');
    }
    *port = (uint16_t)v;
    return v <= 65535;
}

bool http_address_parse(const char *text, struct http_address *out)
{
    const char *colon = strrchr(text, ':');
    uint16_t port;
    char host[HTTP_PEER_MAX];
    if (!colon || !http_port_parse(span_of(colon + 1), &port))
        return false;
    bool v6 = colon > text + 1 && text[0] == '[' && colon[-1] == ']';
    struct span name = {text + v6, (size_t)(colon - text) - (v6 ? 2 : 0)};
    if (span_is(name, "localhost"))
        name = SPAN("127.0.0.1");
    if (name.n >= sizeof host)
        return false;
    memcpy(host, name.p, name.n);
    host[name.n] = '\0';
    *out = (struct http_address){0};
    if (v6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->sa;
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        out->len = sizeof *in6;
        return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)&out->sa;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    out->len = sizeof *in;
    return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

// The IPv4 address, also of one mapped into IPv6; NULL for a true IPv6 address.
static const void *ipv4_of(const struct http_address *a)
{
    if (a->sa.ss_family == AF_INET)
        return &((const struct sockaddr_in *)&a->sa)->sin_addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;
    return IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? in6->sin6_addr.s6_addr + 12 : NULL;
}

void http_address_host(const struct http_address *a, char out[HTTP_PEER_MAX])
{
    const void *v4 = ipv4_of(a);
    const void *from = v4 ? v4 : &((const struct sockaddr_in6 *)&a->sa)->sin6_addr;
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, from, out, HTTP_PEER_MAX))
        out[0] = '\0';
}

void http_address_format(const struct http_address *a, char *out, size_t size)
{
    char host[HTTP_PEER_MAX];
    http_address_host(a, host);
    // sin_port and sin6_port lie at the same place.
    unsigned port = ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
    snprintf(out, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

bool http_address_is_loopback(const struct http_address *a)
{
    const void *v4 = ipv4_of(a);
    if (v4) {
        unsigned char first;
        memcpy(&first, v4, 1);
        return first == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}
