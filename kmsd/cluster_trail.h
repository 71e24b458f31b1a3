// What the trail tells of the key material that a CloudHSM key store's cluster has of a key: additionalEventData of
// CreateKey, ScheduleKeyDeletion and DeleteKey. Source: AWS KMS Developer Guide, examples of these events.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/key.h"

// Of struct op: call->subject is the key. False: the key is in no cluster.
bool cluster_trail_created(struct json_write *w, struct call *call);
bool cluster_trail_scheduled(struct json_write *w, struct call *call);
// arg: the key, which is in a cluster.
void cluster_trail_deleted(struct json_write *w, void *arg);
