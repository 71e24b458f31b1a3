// The credential by which the services call kmsd; for credentials.c.
#pragma once

#include "common/auth/principal_internal.h"

// Reads the file, making it first (mode 0600) when it is not there; two daemons may do so at the same time. NULL with a
// reason that names the file: unreadable, malformed, or readable by others.
struct principal_owned *service_file_read(const char *path, char *why, size_t why_size);
