// TagResource UntagResource ListResourceTags: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"

struct tag_params {
    struct kms_params common;
    struct obj_list tags;   // of struct tag_param
    struct span_list names; // TagKeys
};

extern const struct param tag_resource_rows[], untag_resource_rows[], list_resource_tags_rows[];

MUST_CHECK const struct fault *tag_resource(struct call *call);
MUST_CHECK const struct fault *untag_resource(struct call *call);
MUST_CHECK const struct fault *list_resource_tags(struct call *call);
