// Hands ddbd's management events to kmsd, which delivers one trail for both: at least once, in order, kept while kmsd
// is away. Lives in the main thread.
#pragma once

#include "ddbd/ddbd.h"

struct trail_ship *trail_ship_new(struct ddbd *d, char *why, size_t why_size);
void trail_ship_free(struct trail_ship *s);
// There may be something new. Any thread; NULL is fine (a daemon without trail).
void trail_ship_kick(struct trail_ship *s);
// Does not wait for the next retry: kmsd is there again, or there is no more time. Main thread; NULL is fine.
void trail_ship_now(struct trail_ship *s);
// Something is still to be handed over.
bool trail_ship_busy(const struct trail_ship *s);
