// The daemon's own HTTP endpoints beside the AWS API (/_kmsd/health, /_kmsd/clock, …).
#pragma once

#include <stdbool.h>

#include "common/http/server.h"

struct worker;

struct admin_route {
    const char *method; // "GET"
    const char *path;   // without query
    bool loopback_only; // and not for web pages
    bool for_tests;     // is there only when the daemon's test_control is
    bool service_only;  // must be signed by the service credential (verified before `handle`)
    // Replies, or holds the exchange and replies later in this worker's thread. query is without '?'.
    void (*handle)(struct worker *w, struct http_exchange *x, struct span query);
};

// Answers a request for an admin path. False: not an admin path.
bool admin_dispatch(struct worker *w, struct http_exchange *x);
// Replies with JSON text.
void admin_reply(struct http_exchange *x, int status, struct span json);
// {"message": "…"}
void admin_reply_error(struct http_exchange *x, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The value of a query parameter (not percent-decoded); empty when absent.
struct span admin_query(struct span query, const char *name);
