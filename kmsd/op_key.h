// DescribeKey ListKeys EnableKey DisableKey ScheduleKeyDeletion CancelKeyDeletion UpdateKeyDescription: parameters and
// leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"

struct schedule_params {
    struct kms_params common;
    struct opt_int days;
};

struct description_params {
    struct kms_params common;
    struct span description;
};

extern const struct param describe_key_rows[], list_keys_rows[], key_id_rows[], schedule_key_deletion_rows[],
    update_key_description_rows[];

MUST_CHECK const struct fault *describe_key(struct call *call);
MUST_CHECK const struct fault *list_keys(struct call *call);
MUST_CHECK const struct fault *enable_key(struct call *call);
MUST_CHECK const struct fault *disable_key(struct call *call);
MUST_CHECK const struct fault *schedule_key_deletion_resolve(struct call *call);
MUST_CHECK const struct fault *schedule_key_deletion(struct call *call);
MUST_CHECK const struct fault *cancel_key_deletion(struct call *call);
MUST_CHECK const struct fault *update_key_description(struct call *call);
void schedule_key_deletion_trail(struct json_write *w, struct call *call);
