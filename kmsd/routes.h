// kmsd's own endpoints: /_kmsd/health, /_kmsd/clock, /_kmsd/changes, /_kmsd/trail/events.
#pragma once

#include "common/rpc/admin.h"

extern const struct admin_route kmsd_routes[]; // ended by a NULL path
