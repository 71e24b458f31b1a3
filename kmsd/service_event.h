// The record of what the service does to a key by itself, by "AWS Internal": eventType AwsServiceEvent, for most.
#pragma once

#include "kmsd/kmsd.h"

struct service_event {
    const char *name; // "DeleteKey"
    int64_t time_ns;
    void (*write_details)(struct json_write *w,
                          void *arg); // serviceEventDetails, one JSON value; NULL: the member is absent
    void (*write_additional)(struct json_write *w, void *arg); // additionalEventData, the same
    void (*write_response)(struct json_write *w, void *arg);   // responseElements, the same; NULL: null
    void *arg;
    bool as_call; // eventType AwsApiCall, with a request id
};

// A write_response: the key's ARN. arg: the struct key.
void service_event_key_id(struct json_write *w, void *arg);

// Writes the record into the main thread's journal and makes it durable. False when the trail cannot be written (errno
// says why): what it tells of must not happen then.
MUST_CHECK bool service_event_record(struct kmsd *kmsd, const struct key *key, const struct service_event *event);
