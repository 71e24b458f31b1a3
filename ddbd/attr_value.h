// Attribute values: the wire's JSON ({"S": "x"}), the compact bytes that tables keep, and back.
//
// Two phases, as AWS does it: attr_map_check_wire() finds what AWS's deserializer refuses (SerializationException), for
// the whole body before anything else; attr_map_encode() finds what the service refuses (ValidationException).
// Source of the rules: DynamoDB API reference, AttributeValue; developer guide, "Constraints" and "Item sizes".
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/json_write.h"

enum attr_type { ATTR_S, ATTR_N, ATTR_B, ATTR_SS, ATTR_NS, ATTR_BS, ATTR_M, ATTR_L, ATTR_NULL, ATTR_BOOL, ATTR_TYPES };

enum attr_result {
    ATTR_OK,
    ATTR_INVALID,   // ValidationException; the message is in why
    ATTR_MALFORMED, // SerializationException; the message is in why
    ATTR_NO_MEMORY, // a buffer failed
};

#define ATTR_MAX_DEPTH 32           // levels of nesting, the innermost value counted: 31 M or L around it
#define ATTR_NAME_MAX 65535         // bytes of an attribute name
#define ITEM_MAX_SIZE (400 * 1024)  // as DynamoDB counts (item_size())
#define ITEM_MAX_ENCODED (4u << 20) // a good ceiling for the buffer of an encoded item

// "S", "N", …
const char *attr_type_name(enum attr_type type);
// False when it is no type's name.
bool attr_type_of(struct span name, enum attr_type *type);

// map is {name: value, …} as Item and Key have it (NULL or JSON null: nothing to check). Only shapes: what must be an
// object, a list, a string, base64.
MUST_CHECK enum attr_result attr_map_check_wire(const json_t *map, struct buf *why);
// Appends the encoded map to out. On failure out's new bytes are meaningless (the caller drops the buffer's contents).
// map must be an object; runs the shape checks itself, so that it is safe on any JSON.
MUST_CHECK enum attr_result attr_map_encode(const json_t *map, struct buf *out, struct buf *why);

// One value inside encoded bytes; points into them.
struct attr_view {
    enum attr_type type;
    bool truth;   // ATTR_BOOL
    size_t count; // SS, NS, BS, M, L: how many elements
    struct span
        bytes; // S, B: the content; N: a number_encode() form; SS, NS, BS, M, L: the encoded elements; else empty
};

// Walks an encoded map. start with attr_cursor_map(item); each call of attr_cursor_next() yields one attribute, false
// at the end or on damage (then c->damaged).
struct attr_cursor {
    struct span rest;
    size_t left;
    bool damaged;
};
struct attr_cursor attr_cursor_map(struct span encoded_map);
bool attr_cursor_next(struct attr_cursor *c, struct span *name, struct attr_view *value);
// The attribute of that name. False when there is none (or the bytes are damaged).
bool attr_map_find(struct span encoded_map, struct span name, struct attr_view *value);

// Whether these bytes are exactly one well-formed encoded map (bounds, depth and types; UTF-8 is not looked at).
MUST_CHECK bool attr_map_valid(struct span encoded_map);
// Writes {"name": {"S": "x"}, …}. False when the bytes are damaged (what was written is then useless).
MUST_CHECK bool attr_map_write(struct span encoded_map, struct json_write *w);
// Writes {"S": "x"}.
MUST_CHECK bool attr_view_write(const struct attr_view *v, struct json_write *w);

// Item size as DynamoDB counts it: names plus values. 0 for damaged bytes.
size_t attr_map_size(struct span encoded_map);
