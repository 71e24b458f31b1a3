// Replacing a file at once, under a temporary name that is always the same: what a crash leaves behind is overwritten
// by the next try instead of staying for ever. Private to common/trail.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/buf.h"

// Writes "<folder>/.<name>.tmp", syncs, renames, syncs the folder. One caller per path at a time. False with errno.
bool trail_replace(const char *path, struct span bytes, mode_t mode);
