// Rotates keys on the daemon's clock. A clock that jumped over several periods has several rotations made up for, each
// dated when it was due. Source of the event: AWS KMS Developer Guide, "RotateKey" in "Logging AWS KMS API calls with
// AWS CloudTrail".
#include "kmsd/rotation_job.h"

#include <stdio.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/log.h"
#include "kmsd/key_job.h"
#include "kmsd/key_type.h"
#include "kmsd/multi_region_job.h"
#include "kmsd/rotation.h"
#include "kmsd/service_event.h"

struct step {
    const struct key *key;
    const char *type; // RotationType of the API
    const char *before;
    char now[KEY_MATERIAL_ID_SIZE];
};

static void write_details(struct json_write *w, void *arg)
{
    const struct step *s = arg;
    json_obj_begin(w);
    json_kcstr(w, "rotationType", s->type);
    json_kcstr(w, "keyOrigin", key_origin_names[s->key->origin]);
    json_kcstr(w, "previousKeyMaterialId", s->before);
    json_kcstr(w, "currentKeyMaterialId", s->now);
    json_kcstr(w, "keyId", s->key->id);
    json_obj_end(w);
}

// The id of new material follows from what it replaces and when: a rotation that is done again, because the process was
// killed between its event and its change, has the id that the event told.
static void name_material(struct step *s, int64_t at_ns)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%s/%s/%lld", s->key->arn, s->before, (long long)at_ns);
    sha256_hex((struct span){text, (size_t)n}, s->now);
}

// Each Region's trail tells of its key; the primary key's, that the material was brought to the others.
static bool record(struct kmsd *kmsd, const struct key *key, struct step *step, int64_t at_ns)
{
    struct service_event event = {.name = "RotateKey", .time_ns = at_ns, .write_details = write_details, .arg = step};
    bool ok = service_event_record(kmsd, key, &event);
    if (!key_has_replicas(key))
        return ok;
    for (size_t i = 0; ok && i < key->family->members.n; i++)
        if (key->family->members.v[i] != key)
            ok = service_event_record(kmsd, key->family->members.v[i], &event);
    return ok && multi_region_record_sync(kmsd, key, at_ns);
}

// One rotation. False, and nothing was done, when it cannot be now.
static bool rotate(struct kmsd *kmsd, struct key *key, enum rotation_type type, int64_t at_ns)
{
    struct key_material *m = rotation_pending(key), *before = key_current(key);
    struct step step = {key, rotation_type_names[type], before ? before->material_id : NULL, ""};
    struct secret bytes = {0};
    if (m) {
        memcpy(step.now, m->material_id, sizeof step.now);
    } else {
        name_material(&step, at_ns);
        if (!key->spec->type->make(key->spec, &bytes)) {
            log_error("key %s is not rotated now, the library made no key material", key->arn);
            return false;
        }
    }
    if (!record(kmsd, key, &step, at_ns)) {
        secret_done(&bytes);
        return false;
    }
    if (!m) {
        m = keyring_add_material(kmsd->keyring, key, &bytes, MATERIAL_NON_CURRENT, at_ns);
        memcpy(m->material_id, step.now, sizeof m->material_id);
    }
    rotation_make_current(key, m, type, at_ns);
    log_info("key %s is rotated", key->arn);
    return true;
}

// Imported material that was to become the current one may have been deleted meanwhile.
static bool rotate_on_demand(struct kmsd *kmsd, struct key *key)
{
    bool possible = key->origin == ORIGIN_AWS_KMS || rotation_pending(key);
    if (possible && !rotate(kmsd, key, ROTATION_ON_DEMAND, key->on_demand_ns))
        return false;
    key->on_demand_ns = 0;
    return true;
}

static bool rotate_on_date(struct kmsd *kmsd, struct key *key)
{
    if (!rotate(kmsd, key, ROTATION_AUTOMATIC, key->next_rotation_ns))
        return false;
    key->next_rotation_ns = clock_days_after(key->next_rotation_ns, key->rotation_days);
    return true;
}

static bool rotate_all_due(struct kmsd *kmsd, struct key *key, int64_t now_ns)
{
    size_t done = 0;
    bool ok = true;
    for (; ok && rotation_due(key) <= now_ns; done += ok)
        ok = key->on_demand_ns ? rotate_on_demand(kmsd, key) : rotate_on_date(kmsd, key);
    if (done > 0)
        keyring_share_key(kmsd->keyring, key);
    return ok;
}

void rotation_job_start(struct kmsd *kmsd)
{
    static struct key_job job = {.name = "key rotation", .date = DATE_ROTATION, .run = rotate_all_due};
    key_job_start(kmsd, &job);
}
