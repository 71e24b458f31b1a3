// CreateKey: its parameters and the pieces for its row in op_key.c.
#pragma once

#include "common/rpc/call.h"
#include "common/rpc/op.h"
#include "kmsd/ops.h"

struct create_key_params {
    struct kms_params common;
    struct span policy, description, key_usage, customer_master_key_spec, key_spec, origin, custom_key_store_id,
        xks_key_id;
    struct opt_bool bypass, multi_region;
    struct obj_list tags; // of struct tag_param
    // Found by create_key_check().
    const struct key_spec *spec;
    enum key_usage usage;
};

extern const struct param create_key_rows[];
MUST_CHECK const struct fault *create_key_check(struct call *call);
MUST_CHECK const struct fault *create_key_authorize(struct call *call);
MUST_CHECK const struct fault *create_key(struct call *call);
void create_key_trail_request(struct json_write *w, struct call *call);
void create_key_trail_response(struct json_write *w, struct call *call);
