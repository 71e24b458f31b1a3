// The job that rotates keys: when their period is over, and when RotateKeyOnDemand asked for it. Its service event in
// the trail is RotateKey.
#pragma once

#include "kmsd/kmsd.h"

void rotation_job_start(struct kmsd *kmsd); // adds the job to the daemon's scheduler
