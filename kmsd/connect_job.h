// Connecting and disconnecting custom key stores, in the main thread: ConnectCustomKeyStore and
// DisconnectCustomKeyStore only begin it. How long it takes is --key-store-delay, on the daemon's clock; a proxy is
// then asked for its health.
#pragma once

#include "kmsd/kmsd.h"

struct xks_settings;
struct connect_job;

struct connect_job *connect_job_start(struct kmsd *kmsd, const struct xks_settings *xks);
void connect_job_free(struct connect_job *job);
