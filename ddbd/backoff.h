// Waiting longer after each failure, in real time (what is waited for is another process, not the daemon's clock).
#pragma once

#include <event2/event.h>

static inline struct timeval backoff_after(unsigned failures)
{
    long ms = failures < 8 ? 100L << failures : 15000L;
    return (struct timeval){ms / 1000, ms % 1000 * 1000};
}
