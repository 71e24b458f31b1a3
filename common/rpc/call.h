// One request on its way through the house: from whatever brought it (HTTP, a test, a generator) to its trail record
// and reply. Owned by one worker; every pointer in it lives at least until call_finish().
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/auth/decision.h"
#include "common/auth/principal.h"
#include "common/auth/sigv4.h"
#include "common/base/arena.h"
#include "common/base/header.h"
#include "common/base/ids.h"
#include "common/base/json_write.h"
#include "common/base/secret.h"
#include "common/rpc/op.h"
#include "common/trail/record.h"

struct worker;
struct daemon;

// What came in. Nothing decoded.
struct call_request {
    struct span method, target;
    const struct header *headers;
    size_t headers_n;
    struct span body;
    struct span peer; // IP address
};

// Who the call is from. `principal` is the identity whose rights decide. via is set when a service signed: with
// principal == via for the service's own calls, or a user on whose behalf it calls.
struct caller {
    const struct principal *principal; // counted
    const struct principal *via;       // counted; NULL: the caller signed itself
    const char *via_service;           // kms:ViaService, "dynamodb.us-east-1.amazonaws.com"; NULL when via is NULL
    const char *service_principal;     // "dynamodb.amazonaws.com"; NULL when via is NULL
};

// A call that changed something in another Region, too, is recorded there as what the service did for its caller.
struct call_elsewhere {
    const char *region;     // "us-west-2"
    const char *name;       // the record's eventName
    const char *invoked_by; // the service: "kms.amazonaws.com"
    void (*write_request)(struct json_write *w, struct call *call);
    void (*write_response)(struct json_write *w, struct call *call);
    struct trail_resource resource; // arn NULL: the record has none
};

#define CALL_RESOURCES_MAX 2

struct call {
    struct daemon *daemon;
    struct worker *worker;
    const struct service *service;
    const struct op *op; // NULL until matched, and for operations that are not built
    const char *op_name; // NULL until matched
    char request_id[REQUEST_ID_SIZE];
    int64_t time_ns; // the daemon's clock when the call came in
    struct arena arena;
    struct call_request request;
    struct caller caller;
    char account[13];   // the caller's account; for a service's own call the account it acts for
    const char *region; // of the signature's scope

    json_t *json; // the body; NULL when empty
    void *params; // the operation's parameter struct, in the arena

    // What the call is about. The resolver fills resources (trail) as far as it gets, and subject for the handler.
    struct trail_resource resources[CALL_RESOURCES_MAX];
    size_t resources_n;
    void *subject, *subject2; // the daemon's own: key or table; source and destination
    void *state;              // the daemon's own: an asynchronous handler's state, freed by service->release
    struct decision decision; // why it was allowed or denied; kept for logs, consoles and tests

    const struct fault *fault; // the outcome; NULL: success
    const char *detail;        // the fault's sentence; NULL: the fault's own
    const char *trail_detail;  // the same for the trail, where detail quotes what it may not show; NULL: as detail
    struct buf reply;          // the reply's JSON; wiped
    struct json_write out;     // writes into reply
    bool lose_reply;           // the connection is cut instead of replied to
    bool needs_commit;         // something must be durable before the reply leaves
    const char *shared_event_id;
    const struct call_elsewhere *elsewhere; // set by a leaf, in the arena; NULL: nothing happened elsewhere

    // Of the records made of a call that succeeded: the event's id, for each resource as its owner has it, and time.
    char event_ids[CALL_RESOURCES_MAX][UUID_TEXT_SIZE];
    int64_t recorded_ns;

    // Private to common/rpc.
    size_t step;
    bool entered;  // service->enter was called
    bool tampered; // service->tamper was asked
    bool suspended, finished;
    bool told; // service->recorded was asked
    struct call_secret *secrets;
    void (*done)(struct call *call, void *arg); // called once the reply may leave
    void *done_arg;
    struct call *next;
};

// Returned by a step that goes on later (asynchronous work in the same worker thread).
extern const struct fault call_pending;
// Goes on after a suspended step: with the next step when fault is NULL, else the call ends with that fault.
void call_resume(struct call *call, const struct fault *fault);
// Runs the suspended step itself again.
void call_retry(struct call *call);
// Goes on from where the service is entered, after a step behind that was suspended: resource, rights and state are
// looked at again, because the world has gone on. What the step began lies in call->state.
void call_restart(struct call *call);

// Sets the sentence and returns the fault: `return call_fault(call, &fault_not_found, "Key '%s' does not exist", arn);`
MUST_CHECK const struct fault *call_fault(struct call *call, const struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Memory that is wiped when the call ends: for plaintext.
void *call_secret_alloc(struct call *call, size_t n);
// Names a resource for the trail (strings are copied).
void call_add_resource(struct call *call, const char *account_id, const char *type, const char *arn);
// A request header, case-insensitive; empty span when absent.
struct span call_header(const struct call *call, const char *name);
