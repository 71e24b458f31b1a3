// Keys: DescribeKey ListKeys EnableKey DisableKey ScheduleKeyDeletion CancelKeyDeletion UpdateKeyDescription. CreateKey
// is op_create_key.c's.
#include "kmsd/op_key.h"

#include <string.h>

#include "common/base/time_format.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"
#include "kmsd/resolve.h"
#include "kmsd/rotation.h"

#define DELETION_DAYS_MIN 7
#define DELETION_DAYS_MAX 30 // also when none are given

// ---- DescribeKey ----

const struct param describe_key_rows[] = {ROW_KEY_ID, ROW_GRANT_TOKENS, {NULL}};

const struct fault *describe_key(struct call *call)
{
    struct json_write *w = &call->out;
    json_obj_begin(w);
    json_key(w, "KeyMetadata");
    key_write_metadata(call->subject, w);
    json_obj_end(w);
    return NULL;
}

// ---- ListKeys ----

const struct param list_keys_rows[] = {ROW_LIMIT(KMS_LIST_MAX), ROW_MARKER, {NULL}};

const struct fault *list_keys(struct call *call)
{
    static const struct realm empty;
    struct json_write *w = &call->out;
    struct list_page page;
    const struct fault *fault = list_begin(call, NULL, 100, KMS_LIST_MAX, &page);
    if (fault)
        return fault;
    const struct realm *realm = keyring_realm(kmsd_of(call)->keyring, call->account, call->region);
    realm = realm ? realm : &empty;
    size_t at = realm_key_after(realm, page.after), end = at;
    json_obj_begin(w);
    json_key(w, "Keys");
    json_arr_begin(w);
    for (; end < realm->keys.n && end - at < page.limit; end++) {
        const struct key *key = realm->keys.v[end];
        json_obj_begin(w);
        json_kcstr(w, "KeyArn", key->arn);
        json_kcstr(w, "KeyId", key->id);
        json_obj_end(w);
    }
    json_arr_end(w);
    struct span last = end > at ? span_of(((const struct key *)realm->keys.v[end - 1])->id) : page.after;
    list_end(call, &page, end < realm->keys.n, last);
    json_obj_end(w);
    return NULL;
}

// ---- EnableKey, DisableKey ----

const struct param key_id_rows[] = {ROW_KEY_ID, {NULL}};

static const struct fault *switch_key(struct call *call, enum key_state state, enum change_kind kind)
{
    struct key *key = call->subject;
    if ((key->state == KEY_ENABLED || key->state == KEY_DISABLED) && key->state != state) {
        key->state = state;
        if (state == KEY_ENABLED)
            rotation_resume(key, call->time_ns);
        keyring_share_key(kmsd_of(call)->keyring, key);
        changes_add(kmsd_of(call)->changes, kind, key->arn, NULL);
        scheduler_wake(call->daemon->scheduler);
        call->needs_commit = true;
    }
    return NULL;
}

const struct fault *enable_key(struct call *call)
{
    return switch_key(call, KEY_ENABLED, CHANGE_KEY_ENABLED);
}

const struct fault *disable_key(struct call *call)
{
    return switch_key(call, KEY_DISABLED, CHANGE_KEY_DISABLED);
}

// ---- ScheduleKeyDeletion, CancelKeyDeletion ----

const struct param schedule_key_deletion_rows[] = {
    ROW_KEY_ID,
    {.name = "PendingWindowInDays",
     .type = PARAM_INTEGER,
     .offset = PARAM_AT(schedule_params, days),
     .min = 1,
     .max = 365},
    {NULL},
};

static int64_t window_days(const struct call *call)
{
    const struct schedule_params *p = call->params;
    return p->days.set ? p->days.v : DELETION_DAYS_MAX;
}

// The model allows more than the service does.
const struct fault *schedule_key_deletion_resolve(struct call *call)
{
    if (window_days(call) < DELETION_DAYS_MIN || window_days(call) > DELETION_DAYS_MAX)
        return call_fault(call, &fault_validation, "PendingWindowInDays must be between %d and %d", DELETION_DAYS_MIN,
                          DELETION_DAYS_MAX);
    return resolve_key(call);
}

const struct fault *schedule_key_deletion(struct call *call)
{
    struct key *key = call->subject;
    struct json_write *w = &call->out;
    if (key_has_replicas(key))
        keyring_schedule_after_replicas(kmsd_of(call)->keyring, key, (uint32_t)window_days(call));
    else
        keyring_schedule_deletion(kmsd_of(call)->keyring, key, clock_days_after(call->time_ns, window_days(call)));
    changes_add(kmsd_of(call)->changes, CHANGE_KEY_DELETION_SCHEDULED, key->arn, NULL);
    scheduler_wake(call->daemon->scheduler);
    call->needs_commit = true;
    json_obj_begin(w);
    if (key->state == KEY_PENDING_DELETION)
        json_kepoch(w, "DeletionDate", key->deletion_ns);
    json_kcstr(w, "KeyId", key->arn);
    json_kcstr(w, "KeyState", key_state_names[key->state]);
    json_ki64(w, "PendingWindowInDays", window_days(call));
    json_obj_end(w);
    return NULL;
}

void schedule_key_deletion_trail(struct json_write *w, struct call *call)
{
    const struct key *key = call->subject;
    char date[TIME_JAVA_SIZE];
    time_java(key->deletion_ns, date);
    json_obj_begin(w);
    json_kcstr(w, "keyId", key->arn);
    json_kcstr(w, "keyState", key_state_names[key->state]);
    if (key->state == KEY_PENDING_DELETION)
        json_kcstr(w, "deletionDate", date);
    json_ki64(w, "pendingWindowInDays", window_days(call));
    json_obj_end(w);
}

const struct fault *cancel_key_deletion(struct call *call)
{
    struct key *key = call->subject;
    struct json_write *w = &call->out;
    keyring_cancel_deletion(kmsd_of(call)->keyring, key);
    changes_add(kmsd_of(call)->changes, CHANGE_KEY_DELETION_CANCELLED, key->arn, NULL);
    scheduler_wake(call->daemon->scheduler);
    call->needs_commit = true;
    json_obj_begin(w);
    json_kcstr(w, "KeyId", key->arn);
    json_obj_end(w);
    return NULL;
}

// ---- UpdateKeyDescription ----

const struct param update_key_description_rows[] = {
    ROW_KEY_ID,
    {.name = "Description",
     .type = PARAM_STRING,
     .offset = PARAM_AT(description_params, description),
     .required = true,
     .max = 8192},
    {NULL},
};

const struct fault *update_key_description(struct call *call)
{
    const struct description_params *p = call->params;
    key_set_description(call->subject, p->description);
    keyring_save_key(kmsd_of(call)->keyring, call->subject);
    call->needs_commit = true;
    return NULL;
}
