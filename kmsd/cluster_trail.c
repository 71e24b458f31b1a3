// Members whose values are JSON inside a text, as AWS writes them.
#include "kmsd/cluster_trail.h"

#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "kmsd/key_store.h"

#define TEXT_SIZE 256

// {"backingKeyId":"…"} with more behind it, in brackets for lists.
static void backing_key(struct json_write *w, const char *member, const struct key *key, const char *format)
{
    char id[2 * BACKING_ID_SIZE + 1], object[TEXT_SIZE], text[2 * TEXT_SIZE];
    hex_encode(key_current(key)->backing_id, BACKING_ID_SIZE, id);
    snprintf(object, sizeof object, "\"backingKeyId\":\"%s\"", id);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(strchr(format, '*') - format), format, object,
             strchr(format, '*') + 1);
    json_kcstr(w, member, text);
}

static void store_members(struct json_write *w, const struct key *key)
{
    json_kcstr(w, "customKeyStoreId", key->key_store_id);
    json_kcstr(w, "clusterId", key->key_store->cluster_id);
    backing_key(w, "backingKeys", key, "[{*}]");
}

static const struct key *cluster_key(const struct call *call)
{
    const struct key *key = call->fault ? NULL : call->subject;
    return key && key->origin == ORIGIN_AWS_CLOUDHSM ? key : NULL;
}

bool cluster_trail_created(struct json_write *w, struct call *call)
{
    const struct key *key = cluster_key(call);
    if (!key || !w)
        return key != NULL;
    json_obj_begin(w);
    backing_key(w, "backingKey", key, "{*}");
    json_obj_end(w);
    return true;
}

bool cluster_trail_scheduled(struct json_write *w, struct call *call)
{
    const struct key *key = cluster_key(call);
    if (!key || !w)
        return key != NULL;
    json_obj_begin(w);
    store_members(w, key);
    json_obj_end(w);
    return true;
}

void cluster_trail_deleted(struct json_write *w, void *arg)
{
    const struct key *key = arg;
    json_obj_begin(w);
    store_members(w, key);
    backing_key(w, "backingKeysDeletionStatus", key,
                key->key_store->state == STORE_CONNECTED ? "[{*,\"deletionStatus\":\"SUCCESS\"}]"
                                                         : "[{*,\"deletionStatus\":\"FAILURE\"}]");
    json_obj_end(w);
}
