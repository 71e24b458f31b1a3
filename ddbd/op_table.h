// Table operations, for ops.c.
#pragma once

#include "common/rpc/call.h"
#include "ddbd/scope.h"
#include "ddbd/sse.h"

// Parameters of CreateTable and UpdateTable.
struct throughput_params {
    struct opt_int read, write;
};

struct definition_params {
    struct span name, type;
};

struct key_element_params {
    struct span name, type;
};

struct create_table_params {
    struct table_params table;
    struct obj_list definitions; // struct definition_params
    struct obj_list schema;      // struct key_element_params
    struct span billing;
    bool has_throughput, has_sse;
    struct throughput_params throughput;
    struct sse_specification sse;
    struct span class;
    struct opt_bool deletion_protection;
};

struct update_table_params {
    struct table_params table;
    struct span billing;
    bool has_throughput, has_sse;
    struct throughput_params throughput;
    struct sse_specification sse;
    struct opt_bool deletion_protection;
};

struct list_tables_params {
    struct span after;
    struct opt_int limit;
};

extern const struct param create_table_rows[], update_table_rows[], table_rows[], list_tables_rows[];

MUST_CHECK const struct fault *create_table_invoke(struct call *call);
MUST_CHECK const struct fault *update_table_invoke(struct call *call);
MUST_CHECK const struct fault *delete_table_invoke(struct call *call);
MUST_CHECK const struct fault *describe_table_invoke(struct call *call);
MUST_CHECK const struct fault *list_tables_invoke(struct call *call);
// responseElements of the three that change something.
void table_trail_response(struct json_write *w, struct call *call);

// Shared by the two files of table operations.
const struct fault *table_reply(struct call *call, const char *member);
MUST_CHECK const struct fault *table_missing(struct call *call);
MUST_CHECK const struct fault *throughput_check(struct call *call, const struct throughput_params *p);
