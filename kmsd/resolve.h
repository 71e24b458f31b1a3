// Which key a call is about: ids, ARNs, aliases, alias ARNs; and AWS's sentences when there is none.
#pragma once

#include "common/base/fault.h"
#include "common/rpc/call.h"
#include "kmsd/alias.h"
#include "kmsd/key.h"

// Step `resolve` of operations with a required key: params->key_id into call->subject, named as a resource.
MUST_CHECK const struct fault *resolve_key(struct call *call);
// The same for any text; nothing is set in the call.
MUST_CHECK const struct fault *resolve_key_text(struct call *call, struct span text, struct key **out);
// An alias of the caller's account and Region by name or ARN. NotFoundException when there is none.
MUST_CHECK const struct fault *resolve_alias(struct call *call, struct span text, struct alias **out);
void resolve_add_key(struct call *call, const struct key *key); // as a resource of the trail

// Does the text name an AWS managed key's alias of the caller's account that does not exist yet?
bool resolve_wants_managed_key(struct call *call, struct span text);
// A UUID, or "mrk-" and 32 hexadecimal digits.
bool resolve_is_key_id(struct span text);
