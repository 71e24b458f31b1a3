// Rotation: EnableKeyRotation DisableKeyRotation GetKeyRotationStatus ListKeyRotations RotateKeyOnDemand. The rotating
// itself is the main thread's (rotation_job.c).
#include "kmsd/op_rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/multi_region_job.h"
#include "kmsd/resolve.h"
#include "kmsd/rotation.h"

// An automatic rotation that begins so soon leaves no room for another one (API reference, ConflictException).
#define CONFLICT_NS (INT64_C(20) * 60 * NS_PER_S)

const struct param enable_key_rotation_rows[] = {
    ROW_KEY_ID,
    {.name = "RotationPeriodInDays",
     .type = PARAM_INTEGER,
     .offset = PARAM_AT(rotation_params, days),
     .min = 90,
     .max = 2560},
    {NULL},
};

// Only symmetric encryption keys rotate; AWS says nothing more than that. Their origin is ops.c's.
static const struct fault *check_kind(const struct call *call)
{
    const struct key *key = call->subject;
    return key->spec->symmetric ? NULL : &fault_unsupported;
}

// Replicas share what their primary key has.
static const struct fault *check_primary(struct call *call)
{
    const struct key *key = call->subject;
    if (key->multi_region != MULTI_REGION_REPLICA)
        return NULL;
    return call_fault(call, &fault_unsupported, "%s is not a multi-region primary key.", key->arn);
}

static void save(struct call *call)
{
    struct key *key = call->subject;
    if (key_has_replicas(key) && !key->settles_ns)
        key->settles_ns = clock_after(call->time_ns, MULTI_REGION_SETTLE_NS);
    keyring_share_key(kmsd_of(call)->keyring, key);
    scheduler_wake(call->daemon->scheduler);
    call->needs_commit = true;
}

// The KeyId of answers is spelt as the request did it.
static void write_key_id(struct json_write *w, const char *name, const struct call *call)
{
    const struct kms_params *p = call->params;
    json_kstr(w, name, p->key_id);
}

// ---- EnableKeyRotation, DisableKeyRotation ----

const struct fault *enable_key_rotation(struct call *call)
{
    const struct rotation_params *p = call->params;
    const struct fault *fault = check_kind(call);
    if (!fault)
        fault = check_primary(call);
    if (fault)
        return fault;
    rotation_enable(call->subject, p->days.set ? (uint32_t)p->days.v : ROTATION_DAYS_USUAL, call->time_ns);
    save(call);
    return NULL;
}

// For keys that cannot rotate, too, there is nothing wrong with not rotating.
const struct fault *disable_key_rotation(struct call *call)
{
    const struct fault *fault = check_primary(call);
    if (fault)
        return fault;
    rotation_disable(call->subject);
    save(call);
    return NULL;
}

// ---- GetKeyRotationStatus ----

const struct fault *get_key_rotation_status(struct call *call)
{
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    bool enabled = rotation_enabled(key);
    json_obj_begin(w);
    write_key_id(w, "KeyId", call);
    json_kbool(w, "KeyRotationEnabled", enabled);
    if (enabled) {
        json_kepoch(w, "NextRotationDate", key->next_rotation_ns);
        json_ki64(w, "RotationPeriodInDays", key->rotation_days);
    }
    if (key->on_demand_ns)
        json_kepoch(w, "OnDemandRotationStartDate", key->on_demand_ns);
    json_obj_end(w);
    return NULL;
}

// ---- ListKeyRotations ----

static const char *const includes[] = {"ALL_KEY_MATERIAL", "ROTATIONS_ONLY", NULL};

const struct param list_key_rotations_rows[] = {
    ROW_KEY_ID,
    {.name = "IncludeKeyMaterial",
     .type = PARAM_STRING,
     .offset = PARAM_AT(list_rotations_params, include),
     .choices = includes},
    ROW_LIMIT(KMS_LIST_MAX),
    ROW_MARKER,
    {NULL},
};

// What only imported material has.
static void write_import(struct json_write *w, const struct key_material *m)
{
    if (m->description)
        json_kcstr(w, "KeyMaterialDescription", m->description);
    json_kcstr(w, "ImportState", m->bytes.n > 0 ? "IMPORTED" : "PENDING_IMPORT");
    if (m->bytes.n == 0)
        return;
    json_kcstr(w, "ExpirationModel", m->expires ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE");
    if (m->expires)
        json_kepoch(w, "ValidTo", m->valid_to_ns);
}

static void write_material(struct json_write *w, const struct key *key, const struct key_material *m)
{
    json_obj_begin(w);
    json_kcstr(w, "KeyId", key->id);
    json_kcstr(w, "KeyMaterialId", m->material_id);
    json_kcstr(w, "KeyMaterialState", material_state_names[m->state]);
    if (key->origin == ORIGIN_EXTERNAL)
        write_import(w, m);
    if (m->rotation != ROTATION_NONE) {
        json_kepoch(w, "RotationDate", m->rotated_ns);
        json_kcstr(w, "RotationType", rotation_type_names[m->rotation]);
    }
    json_obj_end(w);
}

// A marker names the last material that was shown and its place among all. New ones come at the end; one that waits for
// its rotation, at the end too, may go again: then what is in its place now was not shown.
static size_t first_of_page(const struct key *key, struct span after)
{
    const char *slash = after.n ? memchr(after.p, '/', after.n) : NULL;
    if (!slash)
        return 0;
    struct span id = {slash + 1, after.n - (size_t)(slash + 1 - after.p)};
    size_t i = strtoul(after.p, NULL, 10);
    return i < key->materials_n && span_is(id, key->materials[i]->material_id) ? i + 1 : i;
}

const struct fault *list_key_rotations(struct call *call)
{
    const struct list_rotations_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct list_page page;
    bool all = p->include.p && span_is(p->include, "ALL_KEY_MATERIAL"), more = false;
    const struct fault *fault = check_kind(call);
    if (!fault)
        fault = list_begin(call, arena_printf(&call->arena, "%s\n%d", key->arn, all), 100, KMS_LIST_MAX, &page);
    if (fault)
        return fault;
    struct span last = page.after;
    json_obj_begin(w);
    json_key(w, "Rotations");
    json_arr_begin(w);
    for (size_t i = first_of_page(key, page.after), shown = 0; i < key->materials_n && !more; i++) {
        const struct key_material *m = key->materials[i];
        if (!all && m->rotation == ROTATION_NONE)
            continue;
        more = shown == page.limit;
        if (more)
            break;
        write_material(w, key, m);
        last = span_of(arena_printf(&call->arena, "%zu/%s", i, m->material_id));
        shown++;
    }
    json_arr_end(w);
    list_end(call, &page, more, last);
    json_obj_end(w);
    return NULL;
}

// ---- RotateKeyOnDemand ----

static const struct fault *check_possible(struct call *call, const struct key *key)
{
    int64_t due = rotation_due(key);
    if (due == INT64_MIN || (due != INT64_MAX && due - call->time_ns < CONFLICT_NS))
        return call_fault(call, &fault_conflict, "%s is being rotated, or will be within the next 20 minutes.",
                          key->arn);
    if (key->on_demand_rotations >= KMS_ON_DEMAND_MAX)
        return call_fault(call, &fault_limit_exceeded,
                          "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
                          "rotations can be performed for this key: %s",
                          key->arn);
    if (key->origin == ORIGIN_EXTERNAL && !rotation_pending(key))
        return call_fault(call, &fault_invalid_state, "No available key material pending rotation for the key: %s.",
                          key->arn);
    return NULL;
}

const struct fault *rotate_key_on_demand(struct call *call)
{
    struct key *key = call->subject;
    struct json_write *w = &call->out;
    const struct fault *fault = check_kind(call);
    if (!fault)
        fault = check_primary(call);
    if (!fault)
        fault = check_possible(call, key);
    if (fault)
        return fault;
    key->on_demand_ns = call->time_ns > 0 ? call->time_ns : 1; // 0 is none
    key->on_demand_rotations++;
    save(call);
    json_obj_begin(w);
    write_key_id(w, "KeyId", call);
    json_obj_end(w);
    return NULL;
}

void rotate_key_on_demand_trail(struct json_write *w, struct call *call)
{
    json_obj_begin(w);
    write_key_id(w, "keyId", call);
    json_obj_end(w);
}
