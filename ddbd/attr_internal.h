// Shared by the attr_*.c files only: the layout of encoded values.
//
//   map     := count:varint (length:varint name value)*
//   value   := type:byte payload        the type is enum attr_type; a true BOOL has ATTR_TRUE added
//   payload := S, B: length:varint bytes | N: number_encode() | NULL, BOOL: nothing
//            | SS, BS: box(count:varint (length:varint bytes)*) | NS: box(count:varint number_encode()*)
//            | L: box(count:varint value*) | M: box(map)
//   box(x)  := length of x, 4 bytes, little-endian; x
//   varint  := 7 bits a byte, low ones first, high bit: more follows; at most 5 bytes
#pragma once

#include "ddbd/attr_value.h"

#define ATTR_TRUE 0x10

// A boolean as the wire may have it (true, "yes", "1" …): 0, 1, or -1 for none.
int attr_wire_bool(const json_t *v);

// Readers advance *s; false when it ends too early.
bool attr_read_varint(struct span *s, size_t *v);
bool attr_read_bytes(struct span *s, size_t n, struct span *out);
bool attr_read_string(struct span *s, struct span *out); // length and bytes
bool attr_read_value(struct span *s, struct attr_view *v);

bool attr_write_varint(struct buf *b, size_t v);
bool attr_write_string(struct buf *b, struct span s);
