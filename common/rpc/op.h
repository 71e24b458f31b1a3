// The operation table: the single truth about what a daemon can do. Dispatch, authorization, the trail,
// --list-operations and README's table all read it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/fault.h"
#include "common/base/json_write.h"
#include "common/rpc/param.h"

struct call;

typedef const struct fault *call_step(struct call *call);

struct op {
    const char *name;           // "CreateGrant"
    const char *action;         // IAM action "kms:CreateGrant"
    const struct param *params; // rows ended by a NULL name
    size_t params_size;         // sizeof the handler's parameter struct
    call_step *resolve;         // which key, alias or table the call is about; NULL: none
    call_step *authorize;       // NULL: the service's own
    call_step *invoke;          // the leaf: fills call->out, returns a fault or NULL
    bool read_only;             // the trail's readOnly
    bool changes;               // takes the service's lock for changing
    bool data_event;            // item operations: eventCategory Data, not recorded unless asked for
    bool no_resources;          // the trail's resources is [] (GenerateRandom, ListAliases)
    // Irregular trail members; NULL: the regular rule (parameters by their rows; responseElements null; no
    // additionalEventData).
    void (*trail_request)(struct json_write *w, struct call *call);
    void (*trail_response)(struct json_write *w, struct call *call);
    // w NULL only asks whether there is one; false: the member is left out.
    bool (*trail_additional)(struct json_write *w, struct call *call);
    const void *ext; // the daemon's own columns (kmsd: grant operation, key states, key usage)
};

// One daemon's API.
struct service {
    const char *name;                // SigV4 service: "kms"
    const char *event_source;        // "kms.amazonaws.com"
    const char *target_prefix;       // X-Amz-Target: "TrentService."
    const char *content_type;        // "application/x-amz-json-1.1"
    const char *api_version;         // the trail's apiVersion; NULL: left out
    bool crc32;                      // reply header x-amz-crc32
    bool long_request_ids;           // DynamoDB's form instead of a UUID
    const struct op *ops;            // ended by a NULL name
    const char *fault_prefix;        // before the code of faults that have no prefix of their own; NULL: nothing
    const char *const *unbuilt;      // operations of the real API that are not built yet, NULL ends; NULL: none
    const char *const *unbuilt_data; // those of them that are data events; NULL: none
    call_step *enter;                // around resolve, authorize and invoke: locks; NULL: nothing
    void (*leave)(struct call *call);
    call_step *tamper; // faults made for tests, once a call, when its resource is known; NULL: none
    call_step *authorize;
    call_step *commit;                  // makes the call's changes durable (call->needs_commit), shared by the turn
    bool commit_is_final;               // memory runs ahead of the disk: when commit fails the daemon must end (kmsd)
    void (*release)(struct call *call); // frees what the daemon hung on the call; NULL: nothing
    // A successful call's records are in the journal and not delivered yet; no lock is held. NULL: nobody asks.
    void (*recorded)(struct call *call);
    const struct fault *unknown_operation, *unsupported_operation, *validation, *serialization, *internal,
        *access_denied,
        *unavailable; // unavailable: the trail cannot be written
};

// The row; NULL: no such operation is built.
const struct op *op_find(const struct service *service, struct span name);
// The name if the real API has this operation and it is not built here yet; NULL otherwise.
const char *op_find_unbuilt(const struct service *service, struct span name);
// Whether an operation, built (op) or not (op NULL, by its name), is a data event.
bool op_is_data_event(const struct service *service, const struct op *op, const char *name);
