// Rules and dates of rotation. Called by the operations (op_rotation.c, op_key.c), by the job that rotates
// (rotation_job.c) and by managed_key.c.
#include "kmsd/rotation.h"

#include "common/base/clock.h"

void rotation_enable(struct key *key, uint32_t days, int64_t now_ns)
{
    key->rotates = true;
    key->rotation_days = days;
    key->next_rotation_ns = clock_days_after(now_ns, days);
}

void rotation_disable(struct key *key)
{
    key->rotates = false;
    key->rotation_days = 0;
    key->next_rotation_ns = 0;
}

void rotation_resume(struct key *key, int64_t now_ns)
{
    if (key->rotates && key->next_rotation_ns < now_ns && key->multi_region != MULTI_REGION_REPLICA)
        key->next_rotation_ns = now_ns;
}

bool rotation_enabled(const struct key *key)
{
    return key->rotates && key->state != KEY_PENDING_DELETION && key->state != KEY_PENDING_REPLICA_DELETION;
}

// A replica follows its primary key.
int64_t rotation_due(const struct key *key)
{
    if (key->multi_region == MULTI_REGION_REPLICA)
        return INT64_MAX;
    if (key->on_demand_ns)
        return INT64_MIN;
    bool works = key->state == KEY_ENABLED || key->state == KEY_UPDATING;
    return key->rotates && works ? key->next_rotation_ns : INT64_MAX;
}

struct key_material *rotation_pending(const struct key *key)
{
    for (size_t i = 0; i < key->materials_n; i++)
        if (key->materials[i]->state == MATERIAL_PENDING_ROTATION)
            return key->materials[i];
    return NULL;
}

void rotation_make_current(struct key *key, struct key_material *m, enum rotation_type type, int64_t at_ns)
{
    struct key_material *before = key_current(key);
    if (before)
        before->state = MATERIAL_NON_CURRENT;
    m->state = MATERIAL_CURRENT;
    m->rotation = type;
    m->rotated_ns = at_ns;
}
