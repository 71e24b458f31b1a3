// Back to the seed, for tests that want a world of their own each.
//
//   POST /_kmsd/reset -> {"keys":3,"aliases":3,"grants":1}
//
// Only with --test-control and from loopback. Keys, aliases and grants are what the seed file says and nothing else, as
// after a first start; faults are cleared, and readers of the change feed drop what they keep. The trail and the clock
// go on: what was answered stays recorded.
#pragma once

#include "common/rpc/admin.h"

void reset_post(struct worker *w, struct http_exchange *x, struct span query);
