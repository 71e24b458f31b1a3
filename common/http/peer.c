// The client's peer: from a URL to a socket address. Called by client.c.
#include "common/http/peer.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool plain(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        if ((uint8_t)name.p[i] <= ' ' || (uint8_t)name.p[i] >= 0x7f)
            return false;
    }
    return name.n > 0;
}

bool peer_parse(struct peer *peer, const char *url)
{
    *peer = (struct peer){0};
    peer->tls = strncasecmp(url, "https://", 8) == 0;
    if (!peer->tls && strncasecmp(url, "http://", 7) != 0)
        return false;
    unsigned usual = peer->tls ? 443 : 80;
    const char *host = url + (peer->tls ? 8 : 7), *end = host + strcspn(host, "/");
    if ((end[0] && end[1]) || (size_t)(end - host) >= sizeof peer->name)
        return false;
    bool v6 = host[0] == '[';
    const char *close = v6 ? memchr(host, ']', (size_t)(end - host)) : NULL;
    if (v6 && !close)
        return false;
    const char *colon = close ? close + 1 : host + strcspn(host, ":/");
    struct span name = {host + v6, (size_t)((close ? close : colon) - host) - v6};
    struct span port = colon < end ? (struct span){colon + 1, (size_t)(end - colon - 1)} : SPAN("");
    uint16_t number = (uint16_t)usual;
    if (!plain(name) || (colon < end && *colon != ':') || (colon < end && !http_port_parse(port, &number)) ||
        number == 0)
        return false;
    snprintf(peer->name, sizeof peer->name, "%.*s", (int)name.n, name.p);
    snprintf(peer->port, sizeof peer->port, "%u", (unsigned)number);
    snprintf(peer->host, sizeof peer->host, v6 ? "[%s]" : "%s", peer->name);
    char numeric[sizeof peer->host + sizeof peer->port];
    snprintf(numeric, sizeof numeric, "%s:%s", peer->host, peer->port);
    if (number != usual) // as browsers and SDKs do, and so as signatures expect it
        snprintf(peer->host + strlen(peer->host), sizeof peer->port + 1, ":%s", peer->port);
    peer->numeric = peer->resolved = http_address_parse(numeric, &peer->address);
    return peer->numeric || !v6;
}

bool peer_connect_to(struct peer *peer, const char *address)
{
    peer->numeric = peer->resolved = http_address_parse(address, &peer->address);
    return peer->numeric;
}

bool peer_take(struct peer *peer, const struct evutil_addrinfo *list)
{
    unsigned n = 0;
    for (const struct evutil_addrinfo *a = list; a; a = a->ai_next)
        n++;
    const struct evutil_addrinfo *chosen = list;
    for (unsigned skip = n ? peer->attempt++ % n : 0; skip; skip--)
        chosen = chosen->ai_next;
    peer->resolved = chosen && chosen->ai_addrlen <= sizeof peer->address.sa;
    if (peer->resolved) {
        memcpy(&peer->address.sa, chosen->ai_addr, chosen->ai_addrlen);
        peer->address.len = chosen->ai_addrlen;
    }
    return peer->resolved;
}

bool peer_resolve(struct peer *peer)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    if (peer->resolved)
        return true;
    if (getaddrinfo(peer->name, peer->port, &hints, &list) != 0)
        return false;
    bool ok = peer_take(peer, list);
    freeaddrinfo(list);
    return ok;
}

void peer_failed(struct peer *peer)
{
    peer->resolved = peer->numeric;
}
