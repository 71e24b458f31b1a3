// GetKeyLastUsage. What it answers is kept by keyring_uses.c and key_use.c.
#include "kmsd/op_last_usage.h"

#include "common/base/clock.h"
#include "kmsd/kmsd.h"

// Of a use it tells whole seconds, as the trail does.
static int64_t second_of(int64_t ns)
{
    return ns - ns % NS_PER_S;
}

const struct fault *get_key_last_usage(struct call *call)
{
    const struct key *key = call->subject;
    int64_t since_ns = keyring_uses_since(kmsd_of(call)->keyring);
    struct json_write *w = &call->out;
    struct last_use use;
    json_obj_begin(w);
    json_kepoch(w, "KeyCreationDate", key->created_ns);
    json_kcstr(w, "KeyId", key->id);
    json_key(w, "KeyLastUsage");
    json_obj_begin(w); // empty: never used
    if (last_use_get(&key->last_use, &use)) {
        json_kcstr(w, "CloudTrailEventId", use.event_id);
        json_kcstr(w, "KmsRequestId", use.request_id);
        json_kcstr(w, "Operation", use.operation);
        json_kepoch(w, "Timestamp", second_of(use.time_ns));
    }
    json_obj_end(w);
    json_kepoch(w, "TrackingStartDate", since_ns > key->created_ns ? since_ns : key->created_ns);
    json_obj_end(w);
    return NULL;
}
