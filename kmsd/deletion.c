// Key deletion on the daemon's clock, in the main thread. As with calls, the record comes first: event, then the
// change, then the store. Source of the event: AWS KMS Developer Guide, "DeleteKey" in "Logging AWS KMS API calls with
// AWS CloudTrail".
#include "kmsd/deletion.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/ids.h"
#include "common/base/log.h"
#include "common/trail/record.h"

#define BATCH 256
#define RETRY_NS (INT64_C(60) * NS_PER_S)
#define INTERNAL "AWS Internal"

struct deletion {
    struct kmsd *kmsd;
    int64_t retry_ns; // after a failure: not before
};

static bool stage_event(struct kmsd *kmsd, const struct key *key, int64_t now_ns)
{
    struct journal_entry entry = {.time_ns = now_ns};
    struct trail_resource resource = {key->account, "AWS::KMS::Key", key->arn};
    char event_id[UUID_TEXT_SIZE];
    id_uuid(kmsd->daemon->rng, event_id);
    struct trail_event e = {
        .identity = {.type = TRAIL_INTERNAL, .account_id = key->account, .invoked_by = INTERNAL},
        .time_ns = now_ns,
        .source = "kms.amazonaws.com",
        .name = "DeleteKey",
        .region = key->region,
        .source_ip = INTERNAL,
        .user_agent = SPAN(INTERNAL),
        .event_id = event_id,
        .resources = &resource,
        .resources_n = 1,
        .has_resources = true,
        .service_event = true,
        .management = true,
        .recipient_account = key->account,
    };
    struct buf record;
    buf_init(&record, 64 * 1024);
    bool ok = journal_reserve(kmsd->journal) && trail_record_write(&record, &e);
    entry.json = buf_span(&record);
    memcpy(entry.account, key->account, sizeof entry.account);
    snprintf(entry.region, sizeof entry.region, "%s", key->region);
    ok = ok && journal_append(kmsd->journal, &entry);
    buf_done(&record);
    return ok;
}

// The write lock is held. How many were deleted; fewer than due when the trail cannot be written.
static size_t delete_batch(struct kmsd *kmsd, int64_t now_ns)
{
    struct key *due[BATCH];
    size_t n = keyring_due_deletions(kmsd->keyring, now_ns, due, BATCH);
    for (size_t i = 0; i < n; i++) {
        if (!stage_event(kmsd, due[i], now_ns) || !journal_flush(kmsd->journal)) {
            log_error("key %s is not deleted now, its trail event cannot be written: %s", due[i]->arn, strerror(errno));
            return i;
        }
        changes_add(kmsd->changes, CHANGE_KEY_DELETED, due[i]->arn, NULL);
        log_info("key %s is deleted", due[i]->arn);
        keyring_delete_key(kmsd->keyring, due[i]);
    }
    return n;
}

static int64_t due(void *arg)
{
    struct deletion *d = arg;
    keyring_read_lock(d->kmsd->keyring);
    int64_t at = keyring_next_deletion(d->kmsd->keyring);
    keyring_unlock(d->kmsd->keyring);
    return at < d->retry_ns ? d->retry_ns : at;
}

static void run(void *arg, int64_t now_ns)
{
    struct deletion *d = arg;
    char why[256];
    keyring_write_lock(d->kmsd->keyring);
    size_t deleted = delete_batch(d->kmsd, now_ns);
    keyring_unlock(d->kmsd->keyring);
    if (deleted == 0)
        d->retry_ns = now_ns + RETRY_NS;
    if (deleted > 0 && !store_commit(d->kmsd->daemon->store, why, sizeof why)) {
        log_error("the deletion of keys was not made durable, ending: %s", why);
        daemon_stop(d->kmsd->daemon, 1);
        d->retry_ns = now_ns + RETRY_NS;
    }
}

void deletion_start(struct kmsd *kmsd)
{
    static struct deletion d;
    d = (struct deletion){.kmsd = kmsd, .retry_ns = INT64_MIN};
    struct job job = {.name = "key deletion", .due = due, .run = run, .arg = &d};
    scheduler_add(kmsd->daemon->scheduler, &job);
}
