// Names for client.c, by libevent's resolver. Each lookup reads the machine's settings anew: they are rare, since the
// address is kept until a connection to it fails.
#include "common/http/lookup.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

struct lookup {
    struct evdns_base *dns;
    struct event *end; // frees the lookup: not from inside the resolver's callback
    void (*cb)(void *arg, const struct evutil_addrinfo *list);
    void *arg;
    bool over;
};

static void lookup_free(struct lookup *l)
{
    if (l->dns)
        evdns_base_free(l->dns, 0);
    if (l->end)
        event_free(l->end);
    free(l);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    lookup_free(arg);
}

static void on_found(int error, struct evutil_addrinfo *list, void *arg)
{
    struct lookup *l = arg;
    l->over = true;
    if (l->cb)
        l->cb(l->arg, error ? NULL : list);
    if (list)
        evutil_freeaddrinfo(list);
    event_active(l->end, EV_TIMEOUT, 0);
}

struct lookup *lookup_begin(struct event_base *base, const char *name, const char *port,
                            void (*cb)(void *arg, const struct evutil_addrinfo *list), void *arg)
{
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_NUMERICSERV};
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->cb = cb;
    l->arg = arg;
    l->end = event_new(base, -1, 0, on_end, l);
    l->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!l->end || !l->dns) {
        lookup_free(l);
        cb(arg, NULL);
        return NULL;
    }
    evdns_getaddrinfo(l->dns, name, port, &hints, on_found, l);
    return l->over ? NULL : l;
}

void lookup_forget(struct lookup *l)
{
    if (l)
        l->cb = NULL;
}
