// Expiry of imported key material on the daemon's clock. Source of the event: AWS KMS Developer Guide,
// "DeleteExpiredKeyMaterial" in "Logging AWS KMS API calls with AWS CloudTrail".
#include "kmsd/expiry.h"

#include "common/base/log.h"
#include "kmsd/key_job.h"
#include "kmsd/service_event.h"

static void write_details(struct json_write *w, void *arg)
{
    const struct key_material *m = arg;
    json_obj_begin(w);
    json_kcstr(w, "keyId", m->key->id);
    if (m->key->spec->symmetric)
        json_kcstr(w, "keyMaterialId", m->material_id);
    json_obj_end(w);
}

// The first of the key's materials that expired; the next one's turn comes when the job looks again.
static struct key_material *expired(const struct key *key, int64_t now_ns)
{
    for (size_t i = 0; i < key->materials_n; i++) {
        struct key_material *m = key->materials[i];
        if (m->expires && m->bytes.n > 0 && m->valid_to_ns <= now_ns)
            return m;
    }
    return NULL;
}

static bool run(struct kmsd *kmsd, struct key *key, int64_t now_ns)
{
    struct key_material *m = expired(key, now_ns);
    struct service_event event = {
        .name = "DeleteExpiredKeyMaterial", .time_ns = now_ns, .write_details = write_details, .arg = m};
    if (!m)
        return true;
    if (!service_event_record(kmsd, key, &event))
        return false;
    changes_add(kmsd->changes, CHANGE_KEY_MATERIAL_DELETED, key->arn, NULL);
    log_info("imported material of key %s expired", key->arn);
    keyring_delete_material(kmsd->keyring, m);
    return true;
}

void expiry_start(struct kmsd *kmsd)
{
    static struct key_job job = {.name = "expiry of key material", .date = DATE_EXPIRY, .run = run};
    key_job_start(kmsd, &job);
}
