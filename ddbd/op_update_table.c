// UpdateTable: throughput and billing mode, deletion protection, server-side encryption. One kind of change a request,
// as the service demands; what follows the reply is sse_work.c's.
#include <string.h>

#include "ddbd/ddbd.h"
#include "ddbd/faults.h"
#include "ddbd/op_table.h"
#include "ddbd/sse_call.h"
#include "ddbd/throughput.h"

#define INVALID "One or more parameter values were invalid: "
#define IN_USE "Attempt to change a resource which is still in use: "

static const char *const unbuilt[] = {"AttributeDefinitions", // of use for new indexes only
                                      "GlobalSecondaryIndexUpdates",
                                      "StreamSpecification",
                                      "ReplicaUpdates",
                                      "TableClass",
                                      "MultiRegionConsistency",
                                      "GlobalTableWitnessUpdates",
                                      "OnDemandThroughput",
                                      "WarmThroughput",
                                      "GlobalTableSettingsReplicationMode",
                                      "VectorIndexUpdates",
                                      NULL};

static const struct fault *only_operation(struct call *call, const char *what)
{
    return call_fault(call, &fault_validation, INVALID "%s modification must be the only operation in the request",
                      what);
}

static const struct fault *check_request(struct call *call, const struct update_table_params *p)
{
    const struct fault *fault = scope_refuse_unbuilt(call, unbuilt);
    bool billing = p->billing.p || p->has_throughput, protection = p->deletion_protection.set;
    if (fault)
        return fault;
    if (!billing && !protection && !p->has_sse)
        return call_fault(call, &fault_validation,
                          "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                          "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
                          "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
                          "OnDemandThroughput, WarmThroughput or TableClass is required");
    if (p->has_sse && (billing || protection))
        return only_operation(call, "Server-Side Encryption");
    if (protection && billing)
        return only_operation(call, "DeletionProtection");
    if (span_is(p->billing, "PAY_PER_REQUEST") && p->has_throughput)
        return call_fault(call, &fault_validation,
                          INVALID
                          "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
                          "PAY_PER_REQUEST");
    if (span_is(p->billing, "PROVISIONED") && !p->has_throughput)
        return call_fault(call, &fault_validation,
                          INVALID "ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
    return p->has_throughput ? throughput_check(call, &p->throughput) : NULL;
}

static const struct fault *check_status(struct call *call, const struct table_info *t, bool updating_is_fine)
{
    if (t->status == TABLE_CREATING)
        return call_fault(call, &fault_in_use, IN_USE "Table is being created: %s", t->name);
    if (t->status == TABLE_DELETING)
        return call_fault(call, &fault_in_use, IN_USE "Table is being deleted: %s", t->name);
    if (t->status == TABLE_UPDATING && !updating_is_fine)
        return call_fault(call, &fault_in_use, IN_USE "Table is being updated: %s", t->name);
    return NULL;
}

// A change of the table under the catalogue's lock.
struct change {
    struct call *call;
    const struct update_table_params *p;
    const struct sse_wish *wish;
    int64_t now_ns;
    const struct fault *fault;
};

static const struct fault *apply(struct call *call, struct change *c,
                                 bool (*change)(struct table_info *copy, void *arg))
{
    struct call_state *s = call->state;
    c->now_ns = clock_now_ns(call->daemon->clock);
    const struct table_info *now = catalogue_change(ddbd_of(call)->catalogue, s->table, change, c);
    if (!now)
        return c->fault ? c->fault : table_missing(call);
    table_info_unref(s->table);
    s->table = now;
    s->changed = call->needs_commit = true;
    return NULL;
}

// ---- throughput and billing mode ----

static bool change_throughput(struct table_info *t, void *arg)
{
    struct change *c = arg;
    char detail[THROUGHPUT_DETAIL_SIZE] = "";
    bool keep_mode = !c->p->billing.p;
    struct throughput_wish wish = {
        .on_demand = keep_mode ? t->on_demand : span_is(c->p->billing, "PAY_PER_REQUEST"),
        .has_units = c->p->has_throughput,
        .read_units = c->p->throughput.read.v,
        .write_units = c->p->throughput.write.v,
    };
    c->fault = check_status(c->call, t, false);
    if (!c->fault) {
        c->fault = throughput_begin(t, &wish, c->now_ns, detail);
        if (c->fault)
            c->fault = call_fault(c->call, c->fault, "%s", detail);
    }
    return !c->fault;
}

static bool change_protection(struct table_info *t, void *arg)
{
    struct change *c = arg;
    c->fault = check_status(c->call, t, true);
    t->deletion_protected = c->p->deletion_protection.v;
    return !c->fault;
}

// ---- encryption ----

static const struct fault *may_change_key(struct change *c, const struct table_info *t)
{
    char detail[SSE_DETAIL_SIZE];
    const struct fault *fault = check_status(c->call, t, true);
    if (fault)
        return fault;
    fault = sse_may_change(t, c->wish, c->now_ns, detail);
    return fault ? call_fault(c->call, fault, "%s", detail) : NULL;
}

static bool change_key(struct table_info *t, void *arg)
{
    struct change *c = arg;
    struct sse_call *asked = ((struct call_state *)c->call->state)->sse;
    c->fault = may_change_key(c, t);
    if (!c->fault && t->key.version != asked->changing->key.version) // changed meanwhile: the old key is another one
        c->fault = call_fault(c->call, &fault_in_use, IN_USE "Table: %s is in the process of being updated.", t->name);
    if (c->fault)
        return false;
    sse_begin(t, c->wish->kind, asked->key_arn, (const char(*)[GRANT_ID_SIZE])asked->grants);
    sse_count_change(t, c->now_ns);
    return true;
}

static const struct fault *update_key(struct call *call, struct change *c)
{
    struct call_state *s = call->state;
    struct sse_wish wish;
    char detail[SSE_DETAIL_SIZE];
    const struct fault *fault = sse_read(&c->p->sse, &wish, detail);
    if (fault)
        return call_fault(call, fault, "%s", detail);
    c->wish = &wish;
    c->now_ns = clock_now_ns(call->daemon->clock);
    fault = s->sse ? NULL : may_change_key(c, s->table);
    if (!fault)
        fault = sse_call_run(call, &wish, s->table);
    if (fault)
        return fault;
    fault = apply(call, c, change_key);
    if (fault) {
        sse_call_undo(s->sse);
        s->changed = call->needs_commit = true;
        return fault;
    }
    s->kick = true;
    return NULL;
}

const struct fault *update_table_invoke(struct call *call)
{
    struct change c = {.call = call, .p = call->params};
    struct call_state *s = call->state;
    const struct fault *fault = check_request(call, c.p);
    if (!fault && !scope_table(call))
        fault = table_missing(call);
    if (fault)
        return fault;
    if (c.p->has_sse) {
        fault = update_key(call, &c);
    } else if (c.p->deletion_protection.set) {
        fault = apply(call, &c, change_protection);
    } else {
        fault = apply(call, &c, change_throughput);
        s->kick = !fault;
    }
    return fault ? fault : table_reply(call, "TableDescription");
}
