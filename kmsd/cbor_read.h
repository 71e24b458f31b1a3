// CBOR (RFC 8949), one item at a time: nothing is allocated, and no length that came from outside is followed beyond
// the bytes that are there. Only what attestation documents are made of.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

enum cbor_kind {
    CBOR_UINT,
    CBOR_NEGATIVE, // -1 - number
    CBOR_BYTES,
    CBOR_TEXT,  // not checked to be UTF-8
    CBOR_ARRAY, // its items follow: see cbor_more()
    CBOR_MAP,   // its keys follow, each with its value behind
    CBOR_NULL,
    CBOR_OTHER, // tags, floats, booleans, undefined, strings of indefinite length
};

struct cbor_value {
    enum cbor_kind kind;
    uint64_t number;   // of CBOR_ARRAY and CBOR_MAP: how many follow, unless open
    bool open;         // of indefinite length: they end with a break
    struct span bytes; // CBOR_BYTES and CBOR_TEXT: a part of the source
};

// Takes the next item off the front of source. False at the end, and where no well-formed item begins.
MUST_CHECK bool cbor_next(struct span *source, struct cbor_value *out);
// The same for an item that must be of this kind.
MUST_CHECK bool cbor_next_is(struct span *source, enum cbor_kind kind, struct cbor_value *out);
// Whether another item of the array, or another key of the map, follows. Counts down in list, and takes the break.
bool cbor_more(struct span *source, struct cbor_value *list);
