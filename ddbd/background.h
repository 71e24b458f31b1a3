// What of ddbd's background is under way, for those who wait for its end: the clock's follower and the shutdown.
#pragma once

#include "ddbd/ddbd.h"

// Tables, keys, grants: something is being done right now. Waiting for kmsd to come back, or for the clock, does not
// count.
bool background_busy(struct ddbd *d);
// The daemon is ending: failures of calls to kmsd are no news.
bool background_ending(const struct ddbd *d);
// Runs the main thread's loop until nothing is under way and the trail is handed over, at most limit_ns of real time.
void background_drain(struct ddbd *d, int64_t limit_ns);
