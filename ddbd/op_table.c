// CreateTable, DescribeTable, ListTables, DeleteTable. UpdateTable is op_update_table.c's; what happens after the reply
// (keys, files, DELETING) is sse_work.c's.
#include "ddbd/op_table.h"

#include <stdlib.h>
#include <string.h>

#include "ddbd/ddbd.h"
#include "ddbd/faults.h"
#include "ddbd/sse_call.h"
#include "ddbd/table_describe.h"

#define INVALID "One or more parameter values were invalid: "
#define UNITS_MAX 40000 // per table, AWS's default quota

// ---- what the operations share ----

const struct fault *table_missing(struct call *call)
{
    const struct call_state *s = call->state;
    return call_fault(call, &fault_not_found, "Requested resource not found: Table: %s not found", s->name);
}

const struct fault *table_reply(struct call *call, const char *member)
{
    const struct call_state *s = call->state;
    json_obj_begin(&call->out);
    table_describe(&call->out, DESCRIBE_REPLY, member, ddbd_of(call), s->table);
    json_obj_end(&call->out);
    return NULL;
}

void table_trail_response(struct json_write *w, struct call *call)
{
    const struct call_state *s = call->state;
    json_obj_begin(w);
    table_describe(w, DESCRIBE_TRAIL, "TableDescription", ddbd_of(call), s->table);
    json_obj_end(w);
}

static const struct fault *check_units(struct call *call, const char *name, int64_t units)
{
    if (units <= UNITS_MAX)
        return NULL;
    return call_fault(
        call, &fault_limit_exceeded,
        "The requested %s, %lld, is above the per table maximum for the account in %s. Per table maximum: "
        "%d. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher "
        "limits.",
        name, (long long)units, call->region, UNITS_MAX);
}

const struct fault *throughput_check(struct call *call, const struct throughput_params *p)
{
    const struct fault *fault = check_units(call, "ReadCapacityUnits", p->read.v);
    return fault ? fault : check_units(call, "WriteCapacityUnits", p->write.v);
}

// ---- CreateTable ----

static const char *const create_unbuilt[] = {"LocalSecondaryIndexes", "GlobalSecondaryIndexes",
                                             "StreamSpecification",   "WarmThroughput",
                                             "ResourcePolicy",        "OnDemandThroughput",
                                             "GlobalTableSourceArn",  "GlobalTableSettingsReplicationMode",
                                             "VectorIndexes",         NULL};
static const char *const tags_unbuilt[] = {"Tags", NULL};

static const struct fault *must_be_there(struct call *call, const struct obj_list *list, const char *name)
{
    if (list->set)
        return NULL;
    return call_fault(
        call, &fault_validation,
        "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be "
        "null",
        name);
}

static const struct fault *check_billing(struct call *call, const struct create_table_params *p)
{
    if (span_is(p->billing, "PAY_PER_REQUEST"))
        return !p->has_throughput
                   ? NULL
                   : call_fault(call, &fault_validation,
                                INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
                                        "BillingMode is PAY_PER_REQUEST");
    if (!p->has_throughput)
        return call_fault(call, &fault_validation,
                          INVALID "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
                                  "PROVISIONED");
    return throughput_check(call, &p->throughput);
}

static const struct definition_params *find_definition(const struct create_table_params *p, struct span name)
{
    const struct definition_params *v = p->definitions.v;
    for (size_t i = 0; i < p->definitions.n; i++)
        if (span_eq(v[i].name, name))
            return &v[i];
    return NULL;
}

static const struct fault *check_definitions(struct call *call, const struct create_table_params *p)
{
    const struct definition_params *v = p->definitions.v;
    for (size_t i = 0; i < p->definitions.n; i++)
        if (find_definition(p, v[i].name) != &v[i])
            return call_fault(call, &fault_validation, "Attribute Name is duplicated: %.*s", (int)v[i].name.n,
                              v[i].name.p);
    return NULL;
}

static void list_names(struct buf *b, const struct span *names, size_t n, size_t step)
{
    for (size_t i = 0; i < n; i++) {
        buf_append_str(b, i ? ", " : "");
        buf_append_span(b, *(const struct span *)((const char *)names + i * step));
    }
}

static const struct fault *undefined_keys(struct call *call, const struct create_table_params *p)
{
    const struct key_element_params *keys = p->schema.v;
    const struct definition_params *definitions = p->definitions.v;
    struct buf b;
    buf_init(&b, 4096);
    buf_append_str(&b, INVALID "Some index key attributes are not defined in AttributeDefinitions. Keys: [");
    list_names(&b, &keys->name, p->schema.n, sizeof *keys);
    buf_append_str(&b, "], AttributeDefinitions: [");
    if (p->definitions.n)
        list_names(&b, &definitions->name, p->definitions.n, sizeof *definitions);
    buf_append_str(&b, "]");
    const struct fault *fault = call_fault(call, &fault_validation, "%.*s", (int)b.len, b.data);
    buf_done(&b);
    return fault;
}

static const struct fault *check_keys(struct call *call, const struct create_table_params *p)
{
    const struct key_element_params *k = p->schema.v;
    if (p->schema.n > p->definitions.n)
        return call_fault(call, &fault_validation, "Invalid KeySchema: Some index key attribute have no definition");
    for (size_t i = 0; i < p->schema.n; i++)
        if (!find_definition(p, k[i].name))
            return undefined_keys(call, p);
    if (p->schema.n == 2 && span_eq(k[0].name, k[1].name))
        return call_fault(call, &fault_validation,
                          "Both the Hash Key and the Range Key element in the KeySchema have the same name");
    if (!span_is(k[0].type, "HASH"))
        return call_fault(call, &fault_validation,
                          "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    if (p->schema.n == 2 && !span_is(k[1].type, "RANGE"))
        return call_fault(call, &fault_validation,
                          "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    if (p->schema.n != p->definitions.n)
        return call_fault(call, &fault_validation,
                          INVALID "Number of attributes in KeySchema does not exactly match number of attributes "
                                  "defined in AttributeDefinitions");
    return NULL;
}

static const struct fault *check_create(struct call *call, const struct create_table_params *p, struct sse_wish *wish)
{
    const json_t *tags = json_object_get(call->json, "Tags");
    const struct fault *fault = scope_refuse_unbuilt(call, create_unbuilt);
    if (!fault && !(json_is_array(tags) && json_array_size(tags) == 0)) // an empty list is none
        fault = scope_refuse_unbuilt(call, tags_unbuilt);
    if (!fault)
        fault = must_be_there(call, &p->definitions, "attributeDefinitions");
    if (!fault)
        fault = must_be_there(call, &p->schema, "keySchema");
    if (!fault)
        fault = check_billing(call, p);
    if (!fault)
        fault = check_definitions(call, p);
    if (!fault)
        fault = check_keys(call, p);
    char detail[SSE_DETAIL_SIZE];
    if (fault)
        return fault;
    fault = sse_read(&p->sse, wish, detail);
    return fault ? call_fault(call, fault, "%s", detail) : NULL;
}

static void fill_part(const struct create_table_params *p, size_t i, struct key_part *part)
{
    struct span name = ((const struct key_element_params *)p->schema.v)[i].name;
    memcpy(part->name, name.p, name.n);
    attr_type_of(find_definition(p, name)->type, &part->type);
}

static struct table_info *new_table(struct call *call, const struct create_table_params *p, const struct sse_wish *wish)
{
    const struct call_state *s = call->state;
    struct table_info *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    atomic_init(&t->refs, 1);
    memcpy(t->account, s->account, sizeof t->account);
    memcpy(t->name, s->name, sizeof t->name);
    snprintf(t->region, sizeof t->region, "%s", call->region);
    id_uuid(call->daemon->rng, t->id);
    t->created_ns = clock_now_ns(call->daemon->clock);
    t->status = TABLE_CREATING;
    fill_part(p, 0, &t->schema.hash);
    t->schema.has_range = p->schema.n == 2;
    if (t->schema.has_range) {
        fill_part(p, 1, &t->schema.range);
        const struct definition_params *first = p->definitions.v;
        t->range_defined_first = span_is(first->name, t->schema.range.name);
    }
    t->on_demand = span_is(p->billing, "PAY_PER_REQUEST");
    t->on_demand_ns = t->on_demand ? t->created_ns : 0;
    t->read_units = p->throughput.read.v;
    t->write_units = p->throughput.write.v;
    t->deletion_protected = p->deletion_protection.v;
    t->class = !p->class.p                     ? TABLE_CLASS_UNSET
               : span_is(p->class, "STANDARD") ? TABLE_CLASS_STANDARD
                                               : TABLE_CLASS_INFREQUENT;
    t->key.version = 1;
    t->key.kind = wish->kind;
    memcpy(t->key.kms_arn, s->sse->key_arn, sizeof t->key.kms_arn);
    memcpy(t->key.grant_ids, s->sse->grants, sizeof t->key.grant_ids);
    t->sse_window_ns = t->created_ns;
    return t;
}

static const struct fault *already_there(struct call *call)
{
    const struct call_state *s = call->state;
    return call_fault(call, &fault_in_use, "Table already exists: %s", s->name);
}

const struct fault *create_table_invoke(struct call *call)
{
    const struct create_table_params *p = call->params;
    struct call_state *s = call->state;
    struct sse_wish wish;
    const struct fault *fault = check_create(call, p, &wish);
    if (fault)
        return fault;
    const struct table_info *there = catalogue_find(ddbd_of(call)->catalogue, s->account, call->region, s->name);
    table_info_unref(there);
    if (there && !s->sse)
        return already_there(call);
    fault = sse_call_run(call, &wish, NULL);
    if (fault)
        return fault;
    struct table_info *t = new_table(call, p, &wish);
    if (!catalogue_add(ddbd_of(call)->catalogue, t)) {
        table_info_unref(t);
        sse_call_undo(s->sse); // another call took the name while KMS was asked
        s->changed = call->needs_commit = true;
        return already_there(call);
    }
    s->table = t;
    s->changed = s->kick = call->needs_commit = true;
    return table_reply(call, "TableDescription");
}

// ---- DescribeTable, ListTables ----

const struct fault *describe_table_invoke(struct call *call)
{
    return scope_table(call) ? table_reply(call, "Table") : table_missing(call);
}

struct listing {
    struct json_write *w;
    int64_t left;
    char last[TABLE_NAME_MAX + 1];
    bool more;
};

static bool list_one(void *arg, const char *name)
{
    struct listing *l = arg;
    l->more = l->left == 0;
    if (l->more)
        return false;
    json_cstr(l->w, name);
    snprintf(l->last, sizeof l->last, "%s", name);
    l->left--;
    return true;
}

const struct fault *list_tables_invoke(struct call *call)
{
    const struct list_tables_params *p = call->params;
    struct listing l = {.w = &call->out, .left = p->limit.set ? p->limit.v : 100};
    const char *after = p->after.p ? arena_strndup(&call->arena, p->after.p, p->after.n) : NULL;
    json_obj_begin(&call->out);
    json_key(&call->out, "TableNames");
    json_arr_begin(&call->out);
    catalogue_names(ddbd_of(call)->catalogue, call->account, call->region, after, list_one, &l);
    json_arr_end(&call->out);
    if (l.more)
        json_kcstr(&call->out, "LastEvaluatedTableName", l.last);
    json_obj_end(&call->out);
    return NULL;
}

// ---- DeleteTable ----

struct deletion {
    struct call *call;
    const struct fault *fault;
};

static const struct fault *may_delete(struct call *call, const struct table_info *t)
{
    static const char busy[] = "Attempt to change a resource which is still in use: ";
    if (t->deletion_protected)
        return call_fault(call, &fault_validation,
                          "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
                          "protection first.");
    if (t->status == TABLE_CREATING)
        return call_fault(call, &fault_in_use, "%sTable is being created: %s", busy, t->name);
    if (t->status == TABLE_DELETING)
        return call_fault(call, &fault_in_use, "%sTable is being deleted: %s", busy, t->name);
    if (t->status == TABLE_UPDATING || t->phase != SSE_STEADY)
        return call_fault(call, &fault_in_use, "%sTable: %s is in the process of being updated.", busy, t->name);
    return NULL;
}

static bool mark_deleting(struct table_info *t, void *arg)
{
    struct deletion *d = arg;
    d->fault = may_delete(d->call, t);
    t->status = TABLE_DELETING;
    return !d->fault;
}

const struct fault *delete_table_invoke(struct call *call)
{
    struct call_state *s = call->state;
    const struct table_info *t = scope_table(call);
    struct deletion d = {call, NULL};
    const struct table_info *now = t ? catalogue_change(ddbd_of(call)->catalogue, t, mark_deleting, &d) : NULL;
    if (!now)
        return d.fault ? d.fault : table_missing(call);
    table_info_unref(s->table);
    s->table = now;
    s->changed = s->kick = call->needs_commit = true;
    return table_reply(call, "TableDescription");
}
