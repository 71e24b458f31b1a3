// One HTTP header field as it came over the wire; shared by common/http (which reads it) and common/auth (which signs
// and verifies it), since neither may include the other.
#pragma once

#include "common/base/buf.h"

struct header {
    struct span name;
    struct span value; // surrounding blanks removed
};
