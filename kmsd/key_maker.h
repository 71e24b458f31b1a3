// Fresh key material for calls. What takes long (RSA: key_type.make_slowly) is made in threads of their own so that no
// worker waits. Once such a key of a spec was asked for, a few more are made ahead.
#pragma once

#include "common/base/fault.h"
#include "common/base/secret.h"
#include "common/rpc/call.h"
#include "kmsd/key_spec.h"

struct key_maker;

struct key_maker *key_maker_new(void);
// Gives up: keys that are being made are thrown away, and calls that wait fail. Returns when the threads have ended.
// Main thread, after the workers' loops have ended.
void key_maker_stop(struct key_maker *m);
void key_maker_free(struct key_maker *m); // stops it too; NULL is fine

// Fresh key material for a call's step `invoke`, which returns what this returns. NULL: *material is the caller's.
// &call_pending: it takes long and is being made; the call then goes through its rights and state again
// (call_restart()) and comes here again, for the same spec. Holds call->state, which the step must have no other use
// for.
MUST_CHECK const struct fault *key_maker_make(struct key_maker *m, struct call *call, const struct key_spec *spec,
                                              struct secret *material);
