// Addresses of a name, without blocking the loop: by DNS (the servers of /etc/resolv.conf) and the hosts file. For
// client.c.
#pragma once

#include <event2/util.h>

struct event_base;
struct lookup;

// Calls cb(arg, list) once, perhaps before it returns (it then returns NULL). list NULL: there is no such name, or it
// cannot be found; it is valid during the call only.
struct lookup *lookup_begin(struct event_base *base, const char *name, const char *port,
                            void (*cb)(void *arg, const struct evutil_addrinfo *list), void *arg);
// The callback is not called any more. NULL is fine.
void lookup_forget(struct lookup *l);
