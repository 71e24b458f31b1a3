// Service events, for the jobs of the main thread. Source: AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS
// CloudTrail": DeleteKey, DeleteExpiredKeyMaterial.
#include "kmsd/service_event.h"

#include <stdio.h>
#include <string.h>

#include "common/base/ids.h"
#include "common/trail/record.h"

#define INTERNAL "AWS Internal"

void service_event_key_id(struct json_write *w, void *arg)
{
    const struct key *key = arg;
    json_obj_begin(w);
    json_kcstr(w, "keyId", key->arn);
    json_obj_end(w);
}

bool service_event_record(struct kmsd *kmsd, const struct key *key, const struct service_event *event)
{
    struct journal_entry entry = {.time_ns = event->time_ns};
    struct trail_resource resource = {key->account, "AWS::KMS::Key", key->arn};
    char event_id[UUID_TEXT_SIZE], request_id[UUID_TEXT_SIZE];
    id_uuid(kmsd->daemon->rng, event_id);
    id_uuid(kmsd->daemon->rng, request_id);
    struct trail_event e = {
        .identity = {.type = TRAIL_INTERNAL, .account_id = key->account, .invoked_by = INTERNAL},
        .time_ns = event->time_ns,
        .source = "kms.amazonaws.com",
        .name = event->name,
        .region = key->region,
        .source_ip = INTERNAL,
        .user_agent = SPAN(INTERNAL),
        .event_id = event_id,
        .write_service_details = event->write_details,
        .write_additional = event->write_additional,
        .write_response = event->write_response,
        .request_id = event->as_call ? request_id : NULL,
        .arg = event->arg,
        .resources = &resource,
        .resources_n = 1,
        .has_resources = true,
        .service_event = !event->as_call,
        .management = true,
        .recipient_account = key->account,
    };
    struct buf record;
    buf_init(&record, 64 * 1024);
    bool ok = journal_reserve(kmsd->journal) && trail_record_write(&record, &e);
    entry.json = buf_span(&record);
    memcpy(entry.account, key->account, sizeof entry.account);
    snprintf(entry.region, sizeof entry.region, "%s", key->region);
    ok = ok && journal_append(kmsd->journal, &entry) && journal_flush(kmsd->journal);
    buf_done(&record);
    return ok;
}
