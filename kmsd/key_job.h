// Jobs on the dates of keys: what happens to a key by itself when the clock reaches a date of its (deletion, expiry).
#pragma once

#include "kmsd/kmsd.h"

struct key_job {
    const char *name;   // for people: "key deletion"
    enum key_date date; // which date
    // Records the event (service_event_record()) and does it to the key, in the keyring and in its pending changes; the
    // write lock is held. False: the trail cannot be written, and nothing was done.
    bool (*run)(struct kmsd *kmsd, struct key *key, int64_t now_ns);
    // Private to key_job.c.
    struct kmsd *kmsd;
    int64_t retry_ns; // after a failure: not before
};

// Adds the job to the daemon's scheduler. It must stay.
void key_job_start(struct kmsd *kmsd, struct key_job *job);
