// PutItem, GetItem, DeleteItem. The table behind the call is table_access.c's, values and keys are item.c's, durability
// is the end of turn's (call_state_commit()).
#include "ddbd/op_item.h"
#include "ddbd/capacity.h"
#include "ddbd/ddbd.h"
#include "ddbd/faults.h"
#include "ddbd/item.h"
#include "ddbd/scope.h"
#include "ddbd/table_access.h"

static const char *const consumed_choices[] = {"INDEXES", "TOTAL", "NONE", NULL};
static const char *const metrics_choices[] = {"SIZE", "NONE", NULL};
// As the service prints them, its slip included.
static const char *const return_choices[] = {"ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATE_NEW", "NONE", NULL};
static const char *const return_also[] = {"UPDATED_NEW", NULL};
static const char *const failure_choices[] = {"ALL_OLD", "NONE", NULL};

#define TABLE_NAME_ROW(type_)                                                                                          \
    {                                                                                                                  \
        .name = "TableName", .type = PARAM_STRING, .offset = PARAM_AT(type_, table), .required = true, .min = 1,       \
        .max = 1024, .alone = scope_name_for_item                                                                      \
    }
#define CHOICE_ROW(type_, name_, member_, choices_)                                                                    \
    {                                                                                                                  \
        .name = name_, .type = PARAM_STRING, .offset = PARAM_AT(type_, member_), .choices = choices_                   \
    }
#define WRITE_ROWS(attributes_)                                                                                        \
    TABLE_NAME_ROW(write_params),                                                                                      \
        {.name = attributes_,                                                                                          \
         .type = PARAM_JSON,                                                                                           \
         .offset = PARAM_AT(write_params, attributes),                                                                 \
         .required = true,                                                                                             \
         .trail = PARAM_HIDDEN},                                                                                       \
        CHOICE_ROW(write_params, "ReturnConsumedCapacity", consumed, consumed_choices),                                \
        {.name = "ReturnValues",                                                                                       \
         .type = PARAM_STRING,                                                                                         \
         .offset = PARAM_AT(write_params, return_values),                                                              \
         .choices = return_choices,                                                                                    \
         .also = return_also,                                                                                          \
         .nameless = true},                                                                                            \
        CHOICE_ROW(write_params, "ReturnItemCollectionMetrics", metrics, metrics_choices),                             \
        CHOICE_ROW(write_params, "ReturnValuesOnConditionCheckFailure", on_failure, failure_choices),                  \
    {                                                                                                                  \
        0                                                                                                              \
    }

const struct param put_item_rows[] = {WRITE_ROWS("Item")};
const struct param delete_item_rows[] = {WRITE_ROWS("Key")};
const struct param get_item_rows[] = {
    TABLE_NAME_ROW(get_params),
    {.name = "Key", .type = PARAM_JSON, .offset = PARAM_AT(get_params, key), .required = true, .trail = PARAM_HIDDEN},
    {.name = "ConsistentRead", .type = PARAM_BOOL, .offset = PARAM_AT(get_params, consistent)},
    CHOICE_ROW(get_params, "ReturnConsumedCapacity", consumed, consumed_choices),
    {0},
};

static const char *const write_unbuilt[] = {
    "Expected", "ConditionalOperator", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
    NULL};
static const char *const get_unbuilt[] = {"AttributesToGet", "ProjectionExpression", "ExpressionAttributeNames", NULL};

// ---- steps shared by the three ----

// What is wrong with a value is a "validation error" where the operation writes, and is told bare where it reads.
static const char *envelope(struct call *call)
{
    return call->op->changes ? "1 validation error detected: " : "";
}

static const struct fault *attr_fault(struct call *call, const char *before, enum attr_result result, struct buf *why)
{
    const struct fault *fault = result == ATTR_INVALID     ? &fault_validation
                                : result == ATTR_MALFORMED ? &fault_serialization
                                                           : &fault_internal;
    if (why->len && result != ATTR_NO_MEMORY)
        fault = call_fault(call, fault, "%s%.*s", result == ATTR_INVALID ? before : "", (int)why->len, why->data);
    return fault;
}

// Calls a function of item.c or attr_value.h with a buffer for its sentence and makes a fault of what it says.
#define TRY(call_, before_, expression_)                                                                               \
    do {                                                                                                               \
        struct buf why;                                                                                                \
        buf_init(&why, 4096);                                                                                          \
        enum attr_result result_ = (expression_);                                                                      \
        const struct fault *fault_ = result_ == ATTR_OK ? NULL : attr_fault(call_, before_, result_, &why);            \
        buf_wipe(&why);                                                                                                \
        if (fault_)                                                                                                    \
            return fault_;                                                                                             \
    } while (0)

static const struct fault *encode(struct call *call, const json_t *attributes, bool whole_item)
{
    struct call_state *s = call->state;
    if (s->item.len)
        return NULL; // the call was suspended meanwhile
    TRY(call, envelope(call), attr_map_encode(attributes, &s->item, &why));
    if (whole_item)
        TRY(call, "", item_check_size(buf_span(&s->item), &why));
    return NULL;
}

static const struct fault *make_key(struct call *call, bool whole_item)
{
    struct call_state *s = call->state;
    if (s->key.len)
        return NULL;
    const struct key_schema *schema = &s->table->schema;
    TRY(call, "",
        whole_item ? item_key(schema, buf_span(&s->item), &s->key, &why)
                   : item_lookup_key(schema, buf_span(&s->item), &s->key, &why));
    return NULL;
}

// What the service looks at before the table: the body's shape, members that are not built, then the values.
static const struct fault *check_request(struct call *call, const json_t *attributes, bool whole_item,
                                         const char *const *unbuilt)
{
    TRY(call, "", attr_map_check_wire(attributes, &why));
    const struct fault *fault = scope_refuse_unbuilt(call, unbuilt);
    return fault ? fault : encode(call, attributes, whole_item);
}

static const struct fault *find_schema(struct call *call)
{
    const struct table_info *t = scope_table(call);
    return t && t->status != TABLE_CREATING && t->status != TABLE_DELETING ? NULL : &fault_not_found;
}

static const struct fault *open_for(struct call *call, const json_t *attributes, bool whole_item,
                                    const char *const *unbuilt, struct table **file)
{
    scope_state(call);
    const struct fault *fault = check_request(call, attributes, whole_item, unbuilt);
    if (!fault)
        fault = find_schema(call);
    if (!fault)
        fault = make_key(call, whole_item);
    return fault ? fault : table_access(call, file);
}

static const struct fault *write_item(struct call *call, const char *name, struct span item)
{
    json_key(&call->out, name);
    return attr_map_write(item, &call->out) ? NULL : &fault_internal;
}

static const struct fault *check_return_values(struct call *call, struct span v)
{
    if (!v.p || span_is(v, "NONE") || span_is(v, "ALL_OLD"))
        return NULL;
    return call_fault(call, &fault_validation, "Return values set to invalid value");
}

// ---- the leaves ----

static const struct fault *finish_write(struct call *call, const struct write_params *p, bool existed, size_t new_size)
{
    struct call_state *s = call->state;
    size_t old_size = s->old.len ? attr_map_size(buf_span(&s->old)) : 0;
    call->needs_commit = true;
    json_obj_begin(&call->out);
    if (existed && span_is(p->return_values, "ALL_OLD")) {
        const struct fault *fault = write_item(call, "Attributes", buf_span(&s->old));
        if (fault)
            return fault;
    }
    capacity_write(&call->out, p->consumed, s->name, capacity_write_halves(old_size > new_size ? old_size : new_size));
    json_obj_end(&call->out);
    return NULL;
}

// Where the item that was there goes: it costs a read, so only when somebody wants to know something about it.
static struct buf *old_wanted(struct call *call, const struct write_params *p)
{
    struct call_state *s = call->state;
    bool capacity = p->consumed.p && !span_is(p->consumed, "NONE");
    return capacity || span_is(p->return_values, "ALL_OLD") ? &s->old : NULL;
}

const struct fault *put_item_invoke(struct call *call)
{
    const struct write_params *p = call->params;
    struct table *file;
    const struct fault *fault = check_return_values(call, p->return_values);
    if (!fault)
        fault = open_for(call, p->attributes, true, write_unbuilt, &file);
    if (fault)
        return fault;
    struct call_state *s = call->state;
    bool existed = false;
    enum table_result result =
        table_put(file, buf_span(&s->key), buf_span(&s->item), old_wanted(call, p), &existed, &s->ticket);
    fault = table_access_fault(call, result, file);
    return fault ? fault : finish_write(call, p, existed, attr_map_size(buf_span(&s->item)));
}

const struct fault *delete_item_invoke(struct call *call)
{
    const struct write_params *p = call->params;
    struct table *file;
    const struct fault *fault = check_return_values(call, p->return_values);
    if (!fault)
        fault = open_for(call, p->attributes, false, write_unbuilt, &file);
    if (fault)
        return fault;
    struct call_state *s = call->state;
    bool existed = false;
    enum table_result result = table_delete(file, buf_span(&s->key), old_wanted(call, p), &existed, &s->ticket);
    fault = table_access_fault(call, result, file);
    return fault ? fault : finish_write(call, p, existed, 0);
}

const struct fault *get_item_invoke(struct call *call)
{
    const struct get_params *p = call->params;
    struct table *file;
    const struct fault *fault = open_for(call, p->key, false, get_unbuilt, &file);
    if (fault)
        return fault;
    struct call_state *s = call->state;
    bool found = false;
    enum table_result result = table_get(file, buf_span(&s->key), &s->old, &found, &s->ticket);
    fault = table_access_fault(call, result, file);
    if (fault)
        return fault;
    call->needs_commit = s->ticket != 0;
    json_obj_begin(&call->out);
    if (found)
        fault = write_item(call, "Item", buf_span(&s->old));
    size_t size = found ? attr_map_size(buf_span(&s->old)) : 0;
    capacity_write(&call->out, p->consumed, s->name, capacity_read_halves(size, p->consistent.set && p->consistent.v));
    json_obj_end(&call->out);
    return fault;
}
