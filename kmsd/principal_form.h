// The forms of principals and grant ids in requests about grants.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "kmsd/grant_token.h"

#define PRINCIPAL_PATTERN "^[\\w+=,.@:/-]+$"
#define SERVICE_PRINCIPAL_PATTERN "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$"
bool principal_matches(struct span text);
bool service_principal_matches(struct span text);
// A principal that a grant may name: account root, user, role, session, or a service in a Region.
bool principal_valid(struct span text);

// A grant id as text: InvalidGrantIdException unless 64 lower-case hexadecimal digits.
MUST_CHECK const struct fault *grant_id_read(struct span text, unsigned char id[GRANT_ID_SIZE]);
