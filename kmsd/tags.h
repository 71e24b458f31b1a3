// Rules for tags in requests, for CreateKey and TagResource.
#pragma once

#include "common/rpc/call.h"
#include "common/rpc/param.h"
#include "kmsd/key.h"

struct tag_param {
    struct span key, value;
};

extern const struct param tag_rows[];

// TagException for reserved, doubled or too many; key NULL: a new one.
MUST_CHECK const struct fault *tags_check(struct call *call, const struct key *key, const struct obj_list *tags);
// A key's tags as a list: [{"TagKey": …, "TagValue": …}], in the trail's spelling with a small first letter.
void tags_write(const struct key *key, bool trail, struct json_write *w);
void tags_apply(struct key *key, const struct obj_list *tags);
