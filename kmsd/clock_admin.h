// The clock of both daemons over HTTP.
//
//   GET  /_kmsd/clock                         ->
//   {"virtual":true,"now":"2025-01-01T00:00:00Z","nowNs":1735689600000000000,
//                                                 "scale":1.0,"generation":3}
//   GET  /_kmsd/clock?after=3&follower=ddbd-1 -> the same, once the generation is no longer 3 (or after 20 s as it then
//                                                 is). A follower that has taken generation G over says so by asking
//                                                 with after=G next.
//   POST /_kmsd/clock  {"set":"2025-06-01T00:00:00Z"} | {"advance":"5m"} | {"scale":60}  -> the state after it
//
// POST works only with --clock virtual and from loopback. It answers after the jobs that became due have run and every
// follower that was there has asked again with the new generation (at most 2 s).
#pragma once

#include "common/rpc/admin.h"

struct clock_hub;
struct daemon;

struct clock_hub *clock_hub_new(struct daemon *d);
void clock_hub_free(struct clock_hub *h);

void clock_admin_get(struct worker *w, struct http_exchange *x, struct span query);
void clock_admin_post(struct worker *w, struct http_exchange *x, struct span query);
