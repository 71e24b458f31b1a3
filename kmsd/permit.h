// Step `authorize`: the question about a call, its answer kept in call->decision, AWS's sentence for a refusal, and
// what a key's state and usage forbid.
#pragma once

#include "common/base/fault.h"
#include "common/rpc/call.h"
#include "kmsd/authz.h"
#include "kmsd/key.h"

// The regular step: params and call->subject say what is asked. Without a subject identity policies decide about "*".
MUST_CHECK const struct fault *permit_call(struct call *call);

// For operations with questions of their own: the question with everything that the call says filled in. Faults when a
// grant token is not genuine.
MUST_CHECK const struct fault *permit_question(struct call *call, const struct key *key, struct authz_question *q);
// Asks it. NULL: allowed. by_ciphertext: the caller did not name the key, so the sentence does not.
MUST_CHECK const struct fault *permit_ask(struct call *call, const struct authz_question *q, bool by_ciphertext);
// A refusal with this decision.
MUST_CHECK const struct fault *permit_deny(struct call *call, const struct decision *d, const char *action,
                                           const char *resource);
// The resource is not there, or not for this caller to know. resource NULL: what a ciphertext names.
MUST_CHECK const struct fault *permit_unknown(struct call *call, const char *resource);
// Does the operation work on this key in its state, and with its usage?
MUST_CHECK const struct fault *permit_state(struct call *call, const struct key *key);
// May the caller make a key? Tags need a right of their own.
MUST_CHECK const struct fault *permit_new_key(struct call *call, bool tagged);
// DryRun: everything was allowed, and nothing is done.
MUST_CHECK const struct fault *permit_dry_run(struct call *call);
