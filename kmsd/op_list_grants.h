// ListGrants and ListRetirableGrants: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"

struct list_grants_params {
    struct list_params list;
    struct span grant_id, principal, service; // GranteePrincipal or RetiringPrincipal, and their service forms
};

extern const struct param list_grants_rows[], list_retirable_grants_rows[];

MUST_CHECK const struct fault *list_grants_resolve(struct call *call);
MUST_CHECK const struct fault *list_grants(struct call *call);
MUST_CHECK const struct fault *list_retirable_grants_resolve(struct call *call);
MUST_CHECK const struct fault *list_retirable_grants_authorize(struct call *call);
MUST_CHECK const struct fault *list_retirable_grants(struct call *call);
