// CreateAlias UpdateAlias DeleteAlias ListAliases: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"

// call->subject is the (new) target key, call->subject2 the alias (NULL in CreateAlias).
struct alias_params {
    struct kms_params common; // key_id: TargetKeyId
    struct span name;
};

extern const struct param alias_target_rows[], alias_name_rows[], list_aliases_rows[];

MUST_CHECK const struct fault *create_alias_resolve(struct call *call);
MUST_CHECK const struct fault *update_alias_resolve(struct call *call);
MUST_CHECK const struct fault *delete_alias_resolve(struct call *call);
MUST_CHECK const struct fault *list_aliases_resolve(struct call *call);
MUST_CHECK const struct fault *alias_authorize(struct call *call);
MUST_CHECK const struct fault *create_alias(struct call *call);
MUST_CHECK const struct fault *update_alias(struct call *call);
MUST_CHECK const struct fault *delete_alias(struct call *call);
MUST_CHECK const struct fault *list_aliases(struct call *call);
