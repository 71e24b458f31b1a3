// Item operations, for ops.c.
#pragma once

#include "common/rpc/call.h"
#include "ddbd/scope.h"

struct write_params {
    struct table_params table;
    const json_t *attributes; // Item or Key
    struct span return_values, consumed, metrics, on_failure;
};

struct get_params {
    struct table_params table;
    const json_t *key;
    struct opt_bool consistent;
    struct span consumed;
};

extern const struct param put_item_rows[], delete_item_rows[], get_item_rows[];

MUST_CHECK const struct fault *put_item_invoke(struct call *call);
MUST_CHECK const struct fault *delete_item_invoke(struct call *call);
MUST_CHECK const struct fault *get_item_invoke(struct call *call);
