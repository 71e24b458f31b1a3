// Items against limits and a table's key schema, with AWS's sentences. Works on encoded items (attr_value.h).
#pragma once

#include <jansson.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "ddbd/attr_value.h"
#include "ddbd/key_codec.h"

// PutItem's encoded Item, before the table is looked up: the 400 KB limit.
MUST_CHECK enum attr_result item_check_size(struct span item, struct buf *why);

// PutItem, with the table's schema: key attributes present, of the right type, not empty, not too long. Appends the
// table's key bytes to key.
MUST_CHECK enum attr_result item_key(const struct key_schema *schema, struct span item, struct buf *key,
                                     struct buf *why);
// GetItem, DeleteItem, with the table's schema: exactly the key's attributes. Appends the table's key bytes to key.
MUST_CHECK enum attr_result item_lookup_key(const struct key_schema *schema, struct span encoded_key, struct buf *key,
                                            struct buf *why);
