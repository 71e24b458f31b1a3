// The job that deletes imported key material when its ValidTo comes, and its service event DeleteExpiredKeyMaterial.
#pragma once

#include "kmsd/kmsd.h"

void expiry_start(struct kmsd *kmsd); // adds the job to the daemon's scheduler
