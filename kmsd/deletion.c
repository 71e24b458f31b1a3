// Key deletion on the daemon's clock. Source of the event: AWS KMS Developer Guide, "DeleteKey" in "Logging AWS KMS API
// calls with AWS CloudTrail".
#include "kmsd/deletion.h"

#include "common/base/log.h"
#include "kmsd/cluster_trail.h"
#include "kmsd/key_job.h"
#include "kmsd/service_event.h"

static bool run(struct kmsd *kmsd, struct key *key, int64_t now_ns)
{
    struct service_event event = {
        .name = "DeleteKey", .time_ns = now_ns, .write_response = service_event_key_id, .arg = key};
    if (key->origin == ORIGIN_AWS_CLOUDHSM)
        event.write_additional = cluster_trail_deleted;
    if (!service_event_record(kmsd, key, &event))
        return false;
    changes_add(kmsd->changes, CHANGE_KEY_DELETED, key->arn, NULL);
    log_info("key %s is deleted", key->arn);
    struct key_family *family = key->multi_region == MULTI_REGION_REPLICA ? key->family : NULL;
    keyring_delete_key(kmsd->keyring, key);
    if (family)
        keyring_replica_is_gone(kmsd->keyring, family, now_ns);
    return true;
}

void deletion_start(struct kmsd *kmsd)
{
    static struct key_job job = {.name = "key deletion", .date = DATE_DELETION, .run = run};
    key_job_start(kmsd, &job);
}
