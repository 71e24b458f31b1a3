// CreateGrant and RevokeGrant: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/grant.h"
#include "kmsd/ops.h"

struct constraints {
    struct str_map subset, equals;
    struct span source_arn;
};

struct grant_params {
    struct kms_params common;
    struct span grantee, retiring, grantee_service, retiring_service, name;
    struct span_list operations;
    struct constraints constraints;
    const struct grant *made; // for the trail
};

struct revoke_params {
    struct kms_params common;
    struct span grant_id;
};

extern const struct param create_grant_rows[], revoke_grant_rows[];

MUST_CHECK const struct fault *create_grant_resolve(struct call *call);
// The grant that call->params describe, for a key of that kind; without a key, and without asking for rights. *out is
// the caller's, also with a fault (or NULL).
MUST_CHECK const struct fault *create_grant_describe(struct call *call, const struct key_spec *spec,
                                                     enum key_usage usage, struct grant **out);
MUST_CHECK const struct fault *create_grant_authorize(struct call *call);
MUST_CHECK const struct fault *create_grant(struct call *call);
MUST_CHECK const struct fault *revoke_grant(struct call *call);
void create_grant_trail(struct json_write *w, struct call *call);
