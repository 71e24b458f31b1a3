// How a table looks from outside. Used by the table operations for their replies and by their trail functions.
#include "ddbd/table_describe.h"

#include <stdio.h>

#include "common/base/time_format.h"
#include "ddbd/sse.h"

struct describe {
    struct json_write *w;
    enum describe_style style;
};

static void put_key(struct describe *d, const char *name)
{
    char lower[64];
    if (d->style == DESCRIBE_REPLY) {
        json_key(d->w, name);
        return;
    }
    snprintf(lower, sizeof lower, "%s", name);
    lower[0] = (char)(lower[0] - 'A' + 'a');
    json_key(d->w, lower);
}

static void put_text(struct describe *d, const char *name, const char *text)
{
    put_key(d, name);
    json_cstr(d->w, text);
}

static void put_int(struct describe *d, const char *name, int64_t v)
{
    put_key(d, name);
    json_i64(d->w, v);
}

static void put_time(struct describe *d, const char *name, int64_t ns)
{
    char java[TIME_JAVA_SIZE];
    put_key(d, name);
    if (d->style == DESCRIBE_REPLY) {
        json_epoch(d->w, ns);
        return;
    }
    time_java(ns, java);
    json_cstr(d->w, java);
}

static void put_definition(struct describe *d, const struct key_part *part)
{
    json_obj_begin(d->w);
    put_text(d, "AttributeName", part->name);
    put_text(d, "AttributeType", attr_type_name(part->type));
    json_obj_end(d->w);
}

static void put_definitions(struct describe *d, const struct table_info *t)
{
    put_key(d, "AttributeDefinitions");
    json_arr_begin(d->w);
    if (t->schema.has_range && t->range_defined_first)
        put_definition(d, &t->schema.range);
    put_definition(d, &t->schema.hash);
    if (t->schema.has_range && !t->range_defined_first)
        put_definition(d, &t->schema.range);
    json_arr_end(d->w);
}

static void put_key_element(struct describe *d, const struct key_part *part, const char *type)
{
    json_obj_begin(d->w);
    put_text(d, "AttributeName", part->name);
    put_text(d, "KeyType", type);
    json_obj_end(d->w);
}

static void put_schema(struct describe *d, const struct table_info *t)
{
    put_key(d, "KeySchema");
    json_arr_begin(d->w);
    put_key_element(d, &t->schema.hash, "HASH");
    if (t->schema.has_range)
        put_key_element(d, &t->schema.range, "RANGE");
    json_arr_end(d->w);
}

static void put_throughput(struct describe *d, const struct table_info *t)
{
    put_key(d, "ProvisionedThroughput");
    json_obj_begin(d->w);
    if (t->increased_ns)
        put_time(d, "LastIncreaseDateTime", t->increased_ns);
    if (t->decreased_ns)
        put_time(d, "LastDecreaseDateTime", t->decreased_ns);
    put_int(d, "NumberOfDecreasesToday", t->decreases_today);
    put_int(d, "ReadCapacityUnits", t->on_demand ? 0 : t->read_units);
    put_int(d, "WriteCapacityUnits", t->on_demand ? 0 : t->write_units);
    json_obj_end(d->w);
    if (!t->on_demand && !t->on_demand_ns)
        return;
    put_key(d, "BillingModeSummary");
    json_obj_begin(d->w);
    put_text(d, "BillingMode", t->on_demand ? "PAY_PER_REQUEST" : "PROVISIONED");
    if (t->on_demand_ns)
        put_time(d, "LastUpdateToPayPerRequestDateTime", t->on_demand_ns);
    json_obj_end(d->w);
}

static void put_sse(struct describe *d, const struct table_info *t)
{
    if (!sse_shown(t))
        return;
    put_key(d, "SSEDescription");
    json_obj_begin(d->w);
    put_text(d, "Status", sse_status_text(t));
    if (t->key.kind == SSE_KMS) {
        put_text(d, "SSEType", "KMS");
        put_text(d, "KMSMasterKeyArn", t->key.kms_arn);
    }
    if (t->inaccessible_ns)
        put_time(d, "InaccessibleEncryptionDateTime", t->inaccessible_ns);
    json_obj_end(d->w);
}

static void put_class(struct describe *d, const struct table_info *t)
{
    if (t->class == TABLE_CLASS_UNSET)
        return;
    put_key(d, "TableClassSummary");
    json_obj_begin(d->w);
    put_text(d, "TableClass", t->class == TABLE_CLASS_STANDARD ? "STANDARD" : "STANDARD_INFREQUENT_ACCESS");
    json_obj_end(d->w);
}

static void put_sizes(struct describe *d, struct ddbd *ddbd, const struct table_info *t)
{
    struct table_stats stats = {(uint64_t)t->items, (uint64_t)t->bytes};
    open_table_stats(ddbd->tables, t->id, &stats);
    put_int(d, "TableSizeBytes", (int64_t)stats.bytes);
    put_int(d, "ItemCount", (int64_t)stats.items);
}

void table_describe(struct json_write *w, enum describe_style style, const char *name, struct ddbd *ddbd,
                    const struct table_info *t)
{
    struct describe d = {w, style};
    char arn[TABLE_ARN_SIZE];
    table_info_arn(t, arn);
    put_key(&d, name);
    json_obj_begin(w);
    put_definitions(&d, t);
    put_text(&d, "TableName", t->name);
    put_schema(&d, t);
    put_text(&d, "TableStatus", table_status_text(t->status));
    put_time(&d, "CreationDateTime", t->created_ns);
    put_throughput(&d, t);
    put_sizes(&d, ddbd, t);
    put_text(&d, "TableArn", arn);
    put_text(&d, "TableId", t->id);
    put_sse(&d, t);
    put_class(&d, t);
    put_key(&d, "DeletionProtectionEnabled");
    json_bool(w, t->deletion_protected);
    json_obj_end(w);
}
