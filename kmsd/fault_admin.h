// Faults for tests, over HTTP; only with --test-control and from loopback.
//
//   POST   /_kmsd/faults {"operation":"Decrypt","key":"alias/app","count":3,"error":"ThrottlingException"} -> {"id":1}
//   GET    /_kmsd/faults      -> {"faults":[{"id":1,"operation":"Decrypt",…,"count":3,"percent":100,"hits":0}]}
//   DELETE /_kmsd/faults?id=1 -> {"cleared":1}; without id all of them
//
// Which calls (what is left out is any): operation; key (id, ARN, alias or alias ARN); principal (ARN of a user, root,
// role or session, or a service such as dynamodb.amazonaws.com). How many of them: the next `count` (all), each with
// the chance `percent` (100; by --seed). What happens, one of: error (a code of KMS, with an optional message), delay
// (a duration such as "2s", or seconds, of the real clock), cut (true: the call is done and recorded, its reply lost).
// The oldest fault that meets a call happens. Calls that fail before their key is found are not met.
#pragma once

#include "common/rpc/admin.h"

void fault_admin_get(struct worker *w, struct http_exchange *x, struct span query);
void fault_admin_post(struct worker *w, struct http_exchange *x, struct span query);
void fault_admin_delete(struct worker *w, struct http_exchange *x, struct span query);
