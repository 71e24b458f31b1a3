// The last uses of the keys: noted by every worker after its records are in the journal, saved to the store whenever
// the journal is about to forget its records (log delivery), and at start read from both. A call writes nothing for it.
#include <stdio.h>
#include <string.h>

#include "kmsd/keyring_internal.h"
#include "kmsd/record.h"

#define USES_SINCE SPAN("uses-since")
#define RECORD_MAX 512
#define AT_ONCE 256 // keys that are saved under one hold of the lock

// ---- noting ----

static void remember(struct keyring *k, const char *arn)
{
    char *copy = strdup(arn);
    if (!copy)
        abort();
    pthread_mutex_lock(&k->used_lock);
    ptr_vec_append(&k->used, copy);
    pthread_mutex_unlock(&k->used_lock);
}

void keyring_note_use(struct keyring *k, struct span arn, const struct last_use *use)
{
    keyring_read_lock(k);
    struct key *key = keyring_key(k, arn);
    if (key && last_use_set(&key->last_use, use))
        remember(k, key->arn);
    keyring_unlock(k);
}

void keyring_replay_use(struct keyring *k, struct span arn, const struct last_use *use)
{
    struct key *key = keyring_key(k, arn);
    struct last_use had;
    if (!key || use->time_ns < k->uses_since_ns)
        return;
    last_use_restore(&key->last_use, use, false);
    if (last_use_get(&key->last_use, &had) && strcmp(had.event_id, use->event_id) == 0)
        remember(k, key->arn);
}

int64_t keyring_uses_since(const struct keyring *k)
{
    return k->uses_since_ns;
}

// ---- saving ----

static void save(struct keyring *k, struct key *key)
{
    struct last_use use;
    struct buf b;
    if (!last_use_take_unsaved(&key->last_use, &use))
        return;
    buf_init(&b, RECORD_MAX);
    record_put_u8(&b, 1);
    record_put_i64(&b, (int64_t)use.run);
    record_put_i64(&b, use.time_ns);
    record_put_text(&b, use.operation);
    record_put_text(&b, use.request_id);
    record_put_text(&b, use.event_id);
    if (!buf_ok(&b))
        abort();
    store_put(k->store, TABLE_USES, span_of(key->arn), buf_span(&b));
    buf_done(&b);
}

bool keyring_save_uses(struct keyring *k, char *why, size_t why_size)
{
    pthread_mutex_lock(&k->used_lock);
    struct ptr_vec used = k->used;
    k->used = (struct ptr_vec){0};
    pthread_mutex_unlock(&k->used_lock);
    for (size_t i = 0; i < used.n;) {
        keyring_read_lock(k);
        for (size_t n = 0; n < AT_ONCE && i < used.n; n++, i++) {
            struct key *key = keyring_key(k, span_of(used.v[i]));
            if (key)
                save(k, key);
            free(used.v[i]);
        }
        keyring_unlock(k);
    }
    ptr_vec_done(&used);
    return store_commit(k->store, why, why_size);
}

// ---- at start and at a reset ----

static bool fill(char *to, size_t size, struct span text)
{
    if (text.n >= size)
        return false;
    memcpy(to, text.p, text.n);
    to[text.n] = '\0';
    return true;
}

struct restoring {
    struct keyring *k;
    const char *damaged;
    bool has_since;
};

static bool each_use(void *arg, struct span name, struct span value)
{
    struct restoring *r = arg;
    struct record_reader in = {.rest = value};
    struct last_use use;
    uint8_t version = record_u8(&in);
    use.run = (uint64_t)record_i64(&in);
    use.time_ns = record_i64(&in);
    bool ok = fill(use.operation, sizeof use.operation, record_bytes(&in)) &&
              fill(use.request_id, sizeof use.request_id, record_bytes(&in)) &&
              fill(use.event_id, sizeof use.event_id, record_bytes(&in)) && record_done(&in) && version == 1;
    struct key *key = keyring_key(r->k, name);
    if (!ok)
        r->damaged = "the stored last use of a key is damaged";
    else if (key)
        last_use_restore(&key->last_use, &use, true);
    return ok;
}

static bool each_meta(void *arg, struct span name, struct span value)
{
    struct restoring *r = arg;
    struct record_reader in = {.rest = value};
    if (!span_eq(name, USES_SINCE))
        return true;
    r->k->uses_since_ns = record_i64(&in);
    r->has_since = record_done(&in);
    if (!r->has_since)
        r->damaged = "the stored date since which uses of keys are noted is damaged";
    return r->has_since;
}

static void set_since(struct keyring *k, int64_t since_ns)
{
    struct buf b;
    k->uses_since_ns = since_ns;
    buf_init(&b, sizeof since_ns);
    record_put_i64(&b, since_ns);
    store_put(k->store, TABLE_META, USES_SINCE, buf_span(&b));
    buf_done(&b);
}

bool keyring_load_uses(struct keyring *k, int64_t now_ns, char *why, size_t why_size)
{
    struct restoring r = {.k = k};
    if (!store_scan(k->store, TABLE_META, each_meta, &r, why, why_size) ||
        !store_scan(k->store, TABLE_USES, each_use, &r, why, why_size))
        return false;
    if (r.damaged) {
        snprintf(why, why_size, "%s", r.damaged);
        return false;
    }
    // Keys that are older than this program's noting may have been used before.
    if (!r.has_since)
        set_since(k, k->keys ? now_ns : 0);
    return true;
}

void keyring_forget_uses(struct keyring *k, int64_t now_ns)
{
    for (struct key *key = k->keys; key; key = key->hh.next) {
        if (!key->last_use)
            continue;
        last_use_free(&key->last_use);
        store_delete(k->store, TABLE_USES, span_of(key->arn));
    }
    set_since(k, now_ns);
}
