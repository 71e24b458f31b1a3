// Which table a call is about, and whether its caller may: the steps before the leaf.
#pragma once

#include "common/rpc/call.h"

// Every parameter struct of a table operation begins with this.
struct table_params {
    struct span table_name;
};

bool table_name_matches(struct span name); // [a-zA-Z0-9_.-]+
extern const char table_name_pattern[];
// param.alone of TableName: what the service says of it before it looks at any other member. The operations on tables
// and those on items have different words for it.
const char *scope_name_of_table(const json_t *value, struct arena *arena);
const char *scope_name_for_item(const json_t *value, struct arena *arena);

// op->resolve: TableName (a name, or an ARN of the caller's account and Region) -> call->state.
MUST_CHECK const struct fault *scope_resolve_table(struct call *call);
// service->authorize: the caller's identity policies on the table's ARN.
MUST_CHECK const struct fault *scope_authorize(struct call *call);
// The call's state; made when it is not there yet (operations without a table).
struct call_state *scope_state(struct call *call);
// Looks the table up once and keeps the snapshot. NULL: there is none.
const struct table_info *scope_table(struct call *call);
// Refuses members that are not built yet: names ended by NULL.
MUST_CHECK const struct fault *scope_refuse_unbuilt(struct call *call, const char *const *members);
