// ddbd's clock is kmsd's: a long poll tells every change of it, and jobs that become due by it run before kmsd hears
// that ddbd has taken it over. Lives in the main thread; while kmsd is away the clock goes on as it was.
#pragma once

#include "ddbd/ddbd.h"

struct clock_follow *clock_follow_new(struct ddbd *d);
void clock_follow_free(struct clock_follow *f); // after kms_client_end()
// Asks the first time, and waits for the answer, but not longer than limit_ns of real time. At start, so that the first
// call already sees the right time.
void clock_follow_start(struct clock_follow *f, int64_t limit_ns);
// The last question was answered. Any thread.
bool clock_follow_connected(const struct clock_follow *f);
// Reads the answer of GET /_kmsd/clock. False when it is none.
bool clock_follow_read(struct span body, struct clock_state *state);
