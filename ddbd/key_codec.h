// Primary keys as bytes. All items of one partition are neighbours, and within it memcmp order is DynamoDB's order of
// the sort key (strings and binaries by unsigned bytes, numbers by value). Partitions follow one another in no promised
// order.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "ddbd/attr_value.h"

#define KEY_NAME_MAX 255   // bytes of a key attribute's name
#define KEY_HASH_MAX 2048  // bytes of a partition key's value
#define KEY_RANGE_MAX 1024 // bytes of a sort key's value
#define KEY_ENC_MAX (2 + KEY_HASH_MAX + KEY_RANGE_MAX)

struct key_part {
    char name[KEY_NAME_MAX + 1];
    enum attr_type type; // ATTR_S, ATTR_N or ATTR_B
};

struct key_schema {
    struct key_part hash;
    struct key_part range;
    bool has_range;
};

// Appends the key of these values (types must be the schema's; range is ignored when the schema has none). False when
// the buffer failed.
MUST_CHECK bool key_encode(const struct key_schema *schema, const struct attr_view *hash, const struct attr_view *range,
                           struct buf *key);
// Appends the part that all keys of one partition begin with (for Query).
MUST_CHECK bool key_encode_partition(const struct key_schema *schema, const struct attr_view *hash, struct buf *key);
// Splits key bytes again (views point into key). False when damaged.
MUST_CHECK bool key_decode(const struct key_schema *schema, struct span key, struct attr_view *hash,
                           struct attr_view *range);
