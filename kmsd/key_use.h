// What GetKeyLastUsage knows: which calls are uses of a key, and how their last ones come through an end of the
// process.
#pragma once

#include "kmsd/kmsd.h"

// service->recorded: notes the call for its keys, if it is a cryptographic use of them.
void key_use_recorded(struct call *call);
// At start, when keyring and deliverer are there: what was saved, and what the journal tells since. From then on every
// delivery saves before the journal forgets. False with a reason.
bool key_use_start(struct kmsd *kmsd, char *why, size_t why_size);
