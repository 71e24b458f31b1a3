// One CloudTrail record, written straight into the worker's buffer. The caller walks the members in CloudTrail's order
// by filling struct trail_event; the writer knows names, order, omissions and size caps. Source: CloudTrail User Guide,
// "CloudTrail record contents" (eventVersion 1.11).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_write.h"

enum trail_identity_type {
    TRAIL_ROOT,
    TRAIL_IAM_USER,
    TRAIL_ASSUMED_ROLE,
    TRAIL_AWS_SERVICE, // type and invokedBy only
    TRAIL_AWS_ACCOUNT, // the owner's copy of a cross-account call: type, principalId, accountId
    TRAIL_INTERNAL,    // service events: no type; accountId and invokedBy "AWS Internal"
};

struct trail_identity {
    enum trail_identity_type type;
    const char *principal_id, *arn, *account_id, *access_key_id, *user_name;
    const char *role_id, *role_arn, *role_name; // sessionIssuer
    int64_t session_start_ns;
    const char *invoked_by; // "dynamodb.amazonaws.com": on behalf of the user, or the service itself
};

struct trail_resource {
    const char *account_id; // owner
    const char *type;       // "AWS::KMS::Key", "AWS::DynamoDB::Table"
    const char *arn;
};

struct trail_event {
    struct trail_identity identity;
    int64_t time_ns;
    const char *source; // "kms.amazonaws.com"
    const char *name;   // "Decrypt"
    const char *region;
    const char *source_ip;
    struct span user_agent;
    const char *error_code; // NULL: success. The wire's AccessDeniedException is "AccessDenied" here
    struct span error_message;
    // Members written by the operation: NULL writes null. Each writes exactly one JSON value.
    void (*write_request)(struct json_write *w, void *arg);
    void (*write_response)(struct json_write *w, void *arg);
    void (*write_additional)(struct json_write *w, void *arg);      // NULL: the member is absent
    void (*write_service_details)(struct json_write *w, void *arg); // serviceEventDetails; NULL: absent
    void *arg;
    const char *request_id; // NULL: absent (service events)
    const char *event_id;
    bool read_only;
    const struct trail_resource *resources;
    size_t resources_n;
    bool has_resources;      // false: the member is absent; true with n 0: []
    bool service_event;      // eventType AwsServiceEvent instead of AwsApiCall
    const char *api_version; // "2012-08-10" for DynamoDB; NULL: absent
    bool management;         // managementEvent, eventCategory Management; else Data
    const char *recipient_account;
    const char *shared_event_id; // NULL: absent
    bool from_caller;            // a service did it as part of the caller's call: address and agent are the caller's
    const char *client_host;     // tlsDetails.clientProvidedHostHeader; NULL: tlsDetails absent (service-made calls)
};

// Appends the record's JSON (one line, no newline). False when the buffer is full.
bool trail_record_write(struct buf *b, const struct trail_event *e);
