// ReplicateKey UpdatePrimaryRegion: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct replicate_params {
    struct kms_params common;
    struct span region, policy, description;
    struct opt_bool bypass;
    struct obj_list tags; // of struct tag_param
    // Filled by the leaf.
    struct key *replica;
};

struct primary_region_params {
    struct kms_params common;
    struct span region;
};

extern const struct param replicate_key_rows[], update_primary_region_rows[];

MUST_CHECK const struct fault *replicate_key_resolve(struct call *call);
MUST_CHECK const struct fault *replicate_key_authorize(struct call *call);
MUST_CHECK const struct fault *replicate_key(struct call *call);
void replicate_key_trail(struct json_write *w, struct call *call);
MUST_CHECK const struct fault *update_primary_region_authorize(struct call *call);
MUST_CHECK const struct fault *update_primary_region(struct call *call);
