// What op_grant.c (CreateGrant, RevokeGrant, RetireGrant) and op_list_grants.c share.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/grant.h"

#define PRINCIPAL_PATTERN "^[\\w+=,.@:/-]+$"
#define SERVICE_PRINCIPAL_PATTERN "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$"
bool principal_matches(struct span text);
bool service_principal_matches(struct span text);
// A principal that a grant may name: account root, user, role, session, or a service in a Region.
bool principal_valid(struct span text);

// A grant id as text: InvalidGrantIdException unless 64 lower-case hexadecimal digits.
MUST_CHECK const struct fault *grant_id_read(struct span text, unsigned char id[GRANT_ID_SIZE]);

extern const struct op op_list_grants_rows[];
