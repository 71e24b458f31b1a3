// A ring of the last changes. Operations add to it while they hold the keyring for changing; the admin route reads it.
#include "kmsd/changes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ids.h"
#include "kmsd/limits.h"

const char *const change_kind_names[CHANGE_KINDS] = {
    [CHANGE_KEY_ENABLED] = "KeyEnabled",
    [CHANGE_KEY_DISABLED] = "KeyDisabled",
    [CHANGE_KEY_DELETION_SCHEDULED] = "KeyDeletionScheduled",
    [CHANGE_KEY_DELETION_CANCELLED] = "KeyDeletionCancelled",
    [CHANGE_KEY_DELETED] = "KeyDeleted",
    [CHANGE_KEY_POLICY] = "KeyPolicyChanged",
    [CHANGE_KEY_MATERIAL_IMPORTED] = "KeyMaterialImported",
    [CHANGE_KEY_MATERIAL_DELETED] = "KeyMaterialDeleted",
    [CHANGE_GRANT_RETIRED] = "GrantRetired",
    [CHANGE_GRANT_REVOKED] = "GrantRevoked",
};

struct change {
    enum change_kind kind;
    char key_arn[128];
    char grant_id[65];
};

struct changes {
    pthread_mutex_t mutex;
    char epoch[33];
    uint64_t last; // sequence of the newest; the first one is 1
    size_t capacity;
    struct change ring[];
};

struct changes *changes_new(struct rng *rng, size_t capacity)
{
    struct changes *c = calloc(1, sizeof *c + capacity * sizeof c->ring[0]);
    if (!c)
        abort();
    pthread_mutex_init(&c->mutex, NULL);
    id_hex(rng, 16, c->epoch);
    c->capacity = capacity;
    return c;
}

void changes_free(struct changes *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

void changes_add(struct changes *c, enum change_kind kind, const char *key_arn, const char *grant_id)
{
    pthread_mutex_lock(&c->mutex);
    struct change *at = &c->ring[++c->last % c->capacity];
    at->kind = kind;
    snprintf(at->key_arn, sizeof at->key_arn, "%s", key_arn);
    snprintf(at->grant_id, sizeof at->grant_id, "%s", grant_id ? grant_id : "");
    pthread_mutex_unlock(&c->mutex);
}

void changes_reset(struct changes *c, struct rng *rng)
{
    pthread_mutex_lock(&c->mutex);
    id_hex(rng, 16, c->epoch);
    pthread_mutex_unlock(&c->mutex);
}

uint64_t changes_last(struct changes *c)
{
    pthread_mutex_lock(&c->mutex);
    uint64_t last = c->last;
    pthread_mutex_unlock(&c->mutex);
    return last;
}

static void write_change(struct json_write *w, const struct change *change, uint64_t sequence)
{
    json_obj_begin(w);
    json_ki64(w, "sequence", (int64_t)sequence);
    json_kcstr(w, "kind", change_kind_names[change->kind]);
    json_kcstr(w, "keyId", change->key_arn);
    if (change->grant_id[0])
        json_kcstr(w, "grantId", change->grant_id);
    json_obj_end(w);
}

void changes_write(struct changes *c, uint64_t after, struct span epoch, struct json_write *w)
{
    pthread_mutex_lock(&c->mutex);
    bool other_epoch = epoch.n > 0 && !span_is(epoch, c->epoch);
    bool reset = other_epoch || after > c->last || c->last - after > c->capacity;
    json_obj_begin(w);
    json_kcstr(w, "epoch", c->epoch);
    json_ki64(w, "last", (int64_t)c->last);
    json_kbool(w, "reset", reset);
    json_key(w, "changes");
    json_arr_begin(w);
    for (uint64_t i = after + 1; !reset && i <= c->last; i++)
        write_change(w, &c->ring[i % c->capacity], i);
    json_arr_end(w);
    json_obj_end(w);
    pthread_mutex_unlock(&c->mutex);
}
