// What goes on between Regions takes a moment on the daemon's clock: a replica is created, a primary Region changes, a
// shared property is synchronised. Source: AWS KMS Developer Guide, "Key states of AWS KMS keys" (Creating, Updating),
// "SynchronizeMultiRegionKey" in "Logging AWS KMS API calls with AWS CloudTrail".
#pragma once

#include "common/base/clock.h"
#include "kmsd/kmsd.h"

// How long that takes; AWS says a few seconds.
#define MULTI_REGION_SETTLE_NS NS_PER_S

// Ends the states Creating and Updating when they are over (settles_ns).
void multi_region_job_start(struct kmsd *kmsd);

// Records that the replicas of this primary key have what it shares with them. Main thread; false as
// service_event_record().
MUST_CHECK bool multi_region_record_sync(struct kmsd *kmsd, const struct key *primary, int64_t time_ns);
