// Pagination markers: opaque, authenticated, bound to the call they came from. A marker says behind which element the
// next page starts, so pages stay right while others add and remove elements.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "kmsd/root_key.h"

#define MARKER_POSITION_MAX 640
#define MARKER_TEXT_MAX 1024 // MarkerType

// The pattern of MarkerType.
#define MARKER_PATTERN "[\\u0020-\\u00FF]*"
bool marker_matches(struct span text);
// scope: whatever identifies the listing (operation, account, Region, key, filters). Appends the marker's text.
bool marker_write(const struct root_key *k, struct span scope, struct span position, struct buf *text);
// False unless the marker was made here for the same scope. Appends the position.
MUST_CHECK bool marker_read(const struct root_key *k, struct span scope, struct span text, struct buf *position);
