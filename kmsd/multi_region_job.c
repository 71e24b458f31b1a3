// The end of what goes on between Regions. The operations (op_multi_region.c, op_rotation.c) begin it, and have made
// the change itself.
#include "kmsd/multi_region_job.h"

#include "kmsd/key_job.h"
#include "kmsd/service_event.h"

bool multi_region_record_sync(struct kmsd *kmsd, const struct key *primary, int64_t time_ns)
{
    struct service_event event = {.name = "SynchronizeMultiRegionKey",
                                  .time_ns = time_ns,
                                  .write_response = service_event_key_id,
                                  .arg = (void *)(uintptr_t)primary,
                                  .as_call = true};
    return service_event_record(kmsd, primary, &event);
}

// A key that was scheduled for deletion meanwhile, or lost imported material, stays in that state.
static bool settle(struct kmsd *kmsd, struct key *key, int64_t now_ns)
{
    (void)now_ns; // it was over when it was due
    if (key->state != KEY_UPDATING && !multi_region_record_sync(kmsd, key->family->primary, key->settles_ns))
        return false;
    if (key->state == KEY_CREATING && key->origin == ORIGIN_EXTERNAL)
        key->state = KEY_PENDING_IMPORT;
    else if (key->state == KEY_CREATING || key->state == KEY_UPDATING)
        key->state = KEY_ENABLED;
    key->settles_ns = 0;
    keyring_save_key(kmsd->keyring, key);
    return true;
}

void multi_region_job_start(struct kmsd *kmsd)
{
    static struct key_job job = {.name = "the change between Regions", .date = DATE_SETTLING, .run = settle};
    key_job_start(kmsd, &job);
}
