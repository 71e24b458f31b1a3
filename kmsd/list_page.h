// One page of a List operation: the limit, where it starts, and the marker for what follows.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/marker.h"
#include "kmsd/ops.h"

// What the parameter struct of a List operation begins with.
struct list_params {
    struct kms_params common;
    struct opt_int limit;
    struct span marker;
};

struct list_page {
    size_t limit;
    struct span after; // position of the last element seen; empty: from the start
    struct span scope;
};

// filters: what else the listing is about (key ARN, principal…), NULL: nothing. max: elements of a page at most.
// InvalidMarkerException when the marker is not from this very listing.
MUST_CHECK const struct fault *list_begin(struct call *call, const char *filters, size_t usual, size_t max,
                                          struct list_page *page);
// Writes Truncated, and NextMarker when there is more behind `last`.
void list_end(struct call *call, const struct list_page *page, bool more, struct span last);
