// TableDescription, for replies and for the trail's responseElements.
#pragma once

#include "common/base/json_write.h"
#include "ddbd/ddbd.h"

enum describe_style {
    DESCRIBE_REPLY, // the API's names, times as seconds
    DESCRIBE_TRAIL, // first letters lower-cased, times as Java prints them (CloudTrail)
};

// Writes the member `name` ("Table", "TableDescription") of the object that is open in w.
void table_describe(struct json_write *w, enum describe_style style, const char *name, struct ddbd *d,
                    const struct table_info *t);
