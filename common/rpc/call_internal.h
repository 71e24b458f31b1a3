// What the files of common/rpc share about a call; nobody else includes it.
#pragma once

#include "common/rpc/call.h"

// authenticate.c: who calls, for which account and Region.
MUST_CHECK const struct fault *authenticate(struct call *call);
// call_trail.c: stages the call's record in the worker's journal. False when that cannot be done.
MUST_CHECK bool call_record(struct call *call);
// call.c
void call_wipe_secrets(struct call *call);
