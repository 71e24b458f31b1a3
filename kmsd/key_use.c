// Uses of keys, from calls that just happened and from records of the trail. Where they are kept is keyring_uses.c's.
#include "kmsd/key_use.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/trail/deliver.h"
#include "kmsd/ops.h"

static bool is_use(const struct op *op)
{
    return op && ((const struct kms_op *)op->ext)->use;
}

// ---- calls ----

void key_use_recorded(struct call *call)
{
    struct last_use use = {.run = journal_run(call->daemon->journal), .time_ns = call->recorded_ns};
    if (!is_use(call->op))
        return;
    memcpy(use.operation, call->op->name, strlen(call->op->name) + 1);
    memcpy(use.request_id, call->request_id, sizeof use.request_id);
    for (size_t i = 0; i < call->resources_n; i++) {
        memcpy(use.event_id, call->event_ids[i], sizeof use.event_id);
        if (use.event_id[0])
            keyring_note_use(kmsd_of(call)->keyring, span_of(call->resources[i].arn), &use);
    }
}

// ---- records ----

static struct span text_of(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return (struct span){json_string_value(v), json_string_length(v)};
}

static bool copy_text(char *to, size_t size, struct span text)
{
    if (text.n == 0 || text.n >= size)
        return false;
    memcpy(to, text.p, text.n);
    to[text.n] = '\0';
    return true;
}

// Most records that are none are told without being read: nothing before the event's name is a caller's to name.
static bool names_use(struct span record)
{
    static const char start[] = "\"eventName\":\"";
    const char *at = memmem(record.p, record.n, start, sizeof start - 1), *end;
    if (!at)
        return false;
    at += sizeof start - 1;
    end = memchr(at, '"', (size_t)(record.p + record.n - at));
    return end && is_use(op_find(&kms_service, (struct span){at, (size_t)(end - at)}));
}

// What a record tells but its keys. False: it tells of no use.
static bool read_use(const json_t *record, struct last_use *use)
{
    return span_is(text_of(record, "eventSource"), kms_service.event_source) && !json_object_get(record, "errorCode") &&
           copy_text(use->operation, sizeof use->operation, text_of(record, "eventName")) &&
           copy_text(use->request_id, sizeof use->request_id, text_of(record, "requestID")) &&
           copy_text(use->event_id, sizeof use->event_id, text_of(record, "eventID"));
}

// ---- start ----

// A record tells of the keys of the account that got it.
static void replay(void *arg, const struct journal_entry *e)
{
    struct keyring *k = arg;
    struct last_use use = {.run = journal_entry_run(e), .time_ns = e->time_ns};
    if (e->origin.n > 0 || !names_use(e->json)) // of another daemon; of something else
        return;
    json_t *record = json_read(e->json, NULL, 0), *resource;
    size_t i;
    if (read_use(record, &use)) {
        json_array_foreach(json_object_get(record, "resources"), i, resource)
        {
            if (span_is(text_of(resource, "accountId"), e->account))
                keyring_replay_use(k, text_of(resource, "ARN"), &use);
        }
    }
    json_decref(record);
}

static bool save(void *arg, char *why, size_t why_size)
{
    return keyring_save_uses(arg, why, why_size);
}

bool key_use_start(struct kmsd *kmsd, char *why, size_t why_size)
{
    deliver_on_finish(kmsd->deliver, save, kmsd->keyring);
    return keyring_load_uses(kmsd->keyring, clock_now_ns(kmsd->daemon->clock), why, why_size) &&
           deliver_waiting(kmsd->deliver, replay, kmsd->keyring, why, why_size);
}
