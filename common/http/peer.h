// Where the client connects to: a URL taken apart, a name resolved. For client.c.
#pragma once

#include <event2/util.h>

#include "common/http/address.h"

struct peer {
    char host[280]; // for the Host header
    char name[256]; // without brackets
    char port[8];
    struct http_address address; // valid when resolved
    bool tls;                    // https
    bool numeric, resolved;
    unsigned attempt; // which of a name's addresses is next
};

// "http://host:port" or "https://host:port", nothing behind but '/'. False when malformed.
bool peer_parse(struct peer *peer, const char *url);
// Connections go to this address ("127.0.0.1:8443"), whatever the name. False when malformed.
bool peer_connect_to(struct peer *peer, const char *address);
// Makes the address valid; blocks while a name is resolved. False: no such name.
bool peer_resolve(struct peer *peer);
// The same without blocking: the addresses of the name and port were found elsewhere. NULL: there are none.
bool peer_take(struct peer *peer, const struct evutil_addrinfo *list);
// The address did not answer: a name is resolved anew next time, to its next address if it has several.
void peer_failed(struct peer *peer);
