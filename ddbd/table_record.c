// The stored form of a table's snapshot. Written by catalogue.c with every change, read by it at start. Holds wrapped
// keys only.
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/ids.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "ddbd/table_info.h"

// ---- writing ----

static void write_part(struct json_write *w, const char *name, const struct key_part *part)
{
    json_key(w, name);
    json_obj_begin(w);
    json_kcstr(w, "name", part->name);
    json_kcstr(w, "type", attr_type_name(part->type));
    json_obj_end(w);
}

static void write_key(struct json_write *w, const char *name, const struct table_key *k)
{
    json_key(w, name);
    json_obj_begin(w);
    json_ki64(w, "version", k->version);
    json_kcstr(w, "kind", k->kind == SSE_KMS ? "kms" : "owned");
    json_kcstr(w, "kmsArn", k->kms_arn);
    for (size_t i = 0; i < TABLE_GRANTS; i++)
        json_kcstr(w, i ? "grant2" : "grant1", k->grant_ids[i]);
    json_key(w, "wrapped");
    json_base64(w, (struct span){(const char *)k->wrapped, k->wrapped_n});
    json_key(w, "wrappedDek");
    json_base64(w, (struct span){(const char *)k->wrapped_dek, k->wrapped_n ? sizeof k->wrapped_dek : 0});
    json_obj_end(w);
}

static void write_throughput(struct json_write *w, const struct table_info *t)
{
    json_kbool(w, "onDemand", t->on_demand);
    json_ki64(w, "onDemandAt", t->on_demand_ns);
    json_ki64(w, "readUnits", t->read_units);
    json_ki64(w, "writeUnits", t->write_units);
    json_ki64(w, "increasedAt", t->increased_ns);
    json_ki64(w, "decreasedAt", t->decreased_ns);
    json_ki64(w, "decreasesToday", t->decreases_today);
    json_ki64(w, "decreasesDay", t->decreases_day);
    json_kbool(w, "pending", t->throughput_pending);
    json_kbool(w, "pendingOnDemand", t->pending_on_demand);
    json_ki64(w, "pendingReadUnits", t->pending_read_units);
    json_ki64(w, "pendingWriteUnits", t->pending_write_units);
}

static void write_sse(struct json_write *w, const struct table_info *t)
{
    write_key(w, "key", &t->key);
    write_key(w, "other", &t->other);
    json_ki64(w, "phase", t->phase);
    json_ki64(w, "phaseUntil", t->phase_until_ns);
    json_ki64(w, "inaccessibleAt", t->inaccessible_ns);
    json_ki64(w, "sseWindow", t->sse_window_ns);
    json_ki64(w, "sseChanges", t->sse_changes);
    json_ki64(w, "sseChangedAt", t->sse_changed_ns);
}

bool table_record_write(struct buf *b, const struct table_info *t)
{
    struct json_write w;
    json_write_init(&w, b);
    json_obj_begin(&w);
    json_kcstr(&w, "account", t->account);
    json_kcstr(&w, "region", t->region);
    json_kcstr(&w, "name", t->name);
    json_kcstr(&w, "id", t->id);
    json_ki64(&w, "createdAt", t->created_ns);
    json_ki64(&w, "status", t->status);
    write_part(&w, "hash", &t->schema.hash);
    if (t->schema.has_range)
        write_part(&w, "range", &t->schema.range);
    json_kbool(&w, "rangeDefinedFirst", t->range_defined_first);
    json_kbool(&w, "deletionProtected", t->deletion_protected);
    json_ki64(&w, "class", t->class);
    json_ki64(&w, "items", t->items);
    json_ki64(&w, "bytes", t->bytes);
    write_throughput(&w, t);
    write_sse(&w, t);
    json_obj_end(&w);
    return buf_ok(b);
}

// ---- reading ----

struct reader {
    bool bad;
};

static void read_text(struct reader *r, const json_t *object, const char *name, char *out, size_t size)
{
    struct span s = json_span(json_object_get(object, name));
    if (s.n >= size || (s.n && memchr(s.p, 0, s.n))) {
        r->bad = true;
        return;
    }
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = '\0';
}

static int64_t read_int(struct reader *r, const json_t *object, const char *name, int64_t min, int64_t max)
{
    const json_t *v = json_object_get(object, name);
    int64_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < min || n > max)
        r->bad = true;
    return n;
}

static bool read_flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static void read_bytes(struct reader *r, const json_t *object, const char *name, unsigned char *out, size_t size,
                       size_t *n)
{
    struct span text = json_span(json_object_get(object, name));
    unsigned char bytes[KMS_BLOB_MAX + 4];
    *n = 0;
    if (base64_decoded_max(text.n) > sizeof bytes + 3 || !base64_decode(text, bytes, n) || *n > size) {
        r->bad = true;
        *n = 0;
        return;
    }
    memcpy(out, bytes, *n);
}

static void read_part(struct reader *r, const json_t *object, const char *name, struct key_part *part)
{
    const json_t *v = json_object_get(object, name);
    read_text(r, v, "name", part->name, sizeof part->name);
    if (!attr_type_of(json_span(json_object_get(v, "type")), &part->type) || part->type > ATTR_B)
        r->bad = true;
}

static void read_key(struct reader *r, const json_t *object, const char *name, struct table_key *k)
{
    const json_t *v = json_object_get(object, name);
    k->version = (uint32_t)read_int(r, v, "version", 0, INT32_MAX);
    k->kind = span_is(json_span(json_object_get(v, "kind")), "kms") ? SSE_KMS : SSE_OWNED;
    read_text(r, v, "kmsArn", k->kms_arn, sizeof k->kms_arn);
    for (size_t i = 0; i < TABLE_GRANTS; i++)
        read_text(r, v, i ? "grant2" : "grant1", k->grant_ids[i], sizeof k->grant_ids[i]);
    size_t n = 0;
    read_bytes(r, v, "wrapped", k->wrapped, sizeof k->wrapped, &k->wrapped_n);
    read_bytes(r, v, "wrappedDek", k->wrapped_dek, sizeof k->wrapped_dek, &n);
    if (n != (k->wrapped_n ? sizeof k->wrapped_dek : 0))
        r->bad = true;
}

static void read_throughput(struct reader *r, const json_t *v, struct table_info *t)
{
    t->on_demand = read_flag(v, "onDemand");
    t->on_demand_ns = read_int(r, v, "onDemandAt", 0, INT64_MAX);
    t->read_units = read_int(r, v, "readUnits", 0, INT64_MAX);
    t->write_units = read_int(r, v, "writeUnits", 0, INT64_MAX);
    t->increased_ns = read_int(r, v, "increasedAt", 0, INT64_MAX);
    t->decreased_ns = read_int(r, v, "decreasedAt", 0, INT64_MAX);
    t->decreases_today = read_int(r, v, "decreasesToday", 0, INT64_MAX);
    t->decreases_day = read_int(r, v, "decreasesDay", 0, INT64_MAX);
    t->throughput_pending = read_flag(v, "pending");
    t->pending_on_demand = read_flag(v, "pendingOnDemand");
    t->pending_read_units = read_int(r, v, "pendingReadUnits", 0, INT64_MAX);
    t->pending_write_units = read_int(r, v, "pendingWriteUnits", 0, INT64_MAX);
}

static void read_sse(struct reader *r, const json_t *v, struct table_info *t)
{
    read_key(r, v, "key", &t->key);
    read_key(r, v, "other", &t->other);
    t->phase = (enum sse_phase)read_int(r, v, "phase", SSE_STEADY, SSE_NEW_SHOWN);
    t->phase_until_ns = read_int(r, v, "phaseUntil", 0, INT64_MAX);
    t->inaccessible_ns = read_int(r, v, "inaccessibleAt", 0, INT64_MAX);
    t->sse_window_ns = read_int(r, v, "sseWindow", 0, INT64_MAX);
    t->sse_changes = read_int(r, v, "sseChanges", 0, INT64_MAX);
    t->sse_changed_ns = read_int(r, v, "sseChangedAt", 0, INT64_MAX);
}

static void read_all(struct reader *r, const json_t *v, struct table_info *t)
{
    read_text(r, v, "account", t->account, sizeof t->account);
    read_text(r, v, "region", t->region, sizeof t->region);
    read_text(r, v, "name", t->name, sizeof t->name);
    read_text(r, v, "id", t->id, sizeof t->id);
    t->created_ns = read_int(r, v, "createdAt", 0, INT64_MAX);
    t->status = (enum table_status)read_int(r, v, "status", TABLE_CREATING, TABLE_INACCESSIBLE);
    read_part(r, v, "hash", &t->schema.hash);
    t->schema.has_range = json_object_get(v, "range") != NULL;
    if (t->schema.has_range)
        read_part(r, v, "range", &t->schema.range);
    t->range_defined_first = read_flag(v, "rangeDefinedFirst");
    t->deletion_protected = read_flag(v, "deletionProtected");
    t->class = (enum table_class)read_int(r, v, "class", TABLE_CLASS_UNSET, TABLE_CLASS_INFREQUENT);
    t->items = read_int(r, v, "items", 0, INT64_MAX);
    t->bytes = read_int(r, v, "bytes", 0, INT64_MAX);
    read_throughput(r, v, t);
    read_sse(r, v, t);
    if (!id_is_uuid(span_of(t->id)) || !t->name[0] || !id_is_account(span_of(t->account)) || !t->region[0])
        r->bad = true;
}

struct table_info *table_record_read(struct span bytes)
{
    json_t *v = json_read(bytes, NULL, 0);
    struct table_info *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    atomic_init(&t->refs, 1);
    struct reader r = {.bad = !json_is_object(v)};
    read_all(&r, v, t);
    json_decref(v);
    if (!r.bad)
        return t;
    free(t);
    return NULL;
}
