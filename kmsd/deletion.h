// The job that really deletes keys when their waiting period is over, and its service event DeleteKey in the trail.
#pragma once

#include "kmsd/kmsd.h"

void deletion_start(struct kmsd *kmsd); // adds the job to the daemon's scheduler
