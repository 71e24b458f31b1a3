// Retires grants until KMS has done it. Fed by sse_work.c and sse_call.c.
#include "ddbd/retire.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/json_write.h"
#include "common/base/log.h"
#include "common/rpc/loop.h"
#include "ddbd/backoff.h"

struct retirement {
    struct retirement *next;
    char account[13], region[32], key_arn[KMS_ARN_SIZE], grant_id[GRANT_ID_SIZE];
};

struct retire {
    struct ddbd *ddbd;
    pthread_mutex_t lock;
    struct retirement *first, **last; // oldest first
    struct event *retry;
    unsigned failures;
    bool asking, waiting; // asking KMS; waiting for it to come back
};

static void on_retry(evutil_socket_t fd, short what, void *arg);

struct retire *retire_new(struct ddbd *d)
{
    struct retire *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->ddbd = d;
    r->last = &r->first;
    pthread_mutex_init(&r->lock, NULL);
    r->retry = event_new(loop_base(d->daemon->loop), -1, 0, on_retry, r);
    if (!r->retry)
        abort();
    return r;
}

void retire_free(struct retire *r)
{
    if (!r)
        return;
    for (struct retirement *j = r->first, *next; j; j = next) {
        next = j->next;
        free(j);
    }
    event_free(r->retry);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void append(struct retire *r, const char *account, const char *region, const char *key_arn, const char *grant_id)
{
    struct retirement *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    snprintf(j->account, sizeof j->account, "%s", account);
    snprintf(j->region, sizeof j->region, "%s", region);
    snprintf(j->key_arn, sizeof j->key_arn, "%s", key_arn);
    snprintf(j->grant_id, sizeof j->grant_id, "%s", grant_id);
    *r->last = j;
    r->last = &j->next;
}

static bool load_one(void *arg, struct span key, struct span value)
{
    struct retire *r = arg;
    (void)key;
    json_t *v = json_read(value, NULL, 0);
    const char *account = json_string_value(json_object_get(v, "account"));
    const char *region = json_string_value(json_object_get(v, "region"));
    const char *key_arn = json_string_value(json_object_get(v, "keyArn"));
    const char *grant_id = json_string_value(json_object_get(v, "grantId"));
    if (account && region && key_arn && grant_id)
        append(r, account, region, key_arn, grant_id);
    json_decref(v);
    return true;
}

// ---- asking: main thread ----

static void finish_first(struct retire *r)
{
    char why[256];
    pthread_mutex_lock(&r->lock);
    struct retirement *j = r->first;
    r->first = j->next;
    if (!r->first)
        r->last = &r->first;
    store_delete(r->ddbd->daemon->store, RETIRE_TABLE, span_of(j->grant_id));
    pthread_mutex_unlock(&r->lock);
    free(j);
    if (!store_commit(r->ddbd->daemon->store, why, sizeof why))
        log_error("the list of grants to retire cannot be written: %s", why);
}

static void ask_next(struct retire *r);

static void on_reply(void *arg, struct kms_reply *reply)
{
    struct retire *r = arg;
    r->asking = false;
    if (reply->outcome == KMS_UNREACHABLE) {
        r->waiting = true;
        struct timeval after = backoff_after(r->failures++);
        event_add(r->retry, &after);
        return;
    }
    r->failures = 0;
    // A grant that is gone already was retired or revoked by somebody else, or went with its key.
    if (reply->outcome == KMS_ERROR && strcmp(reply->code, "NotFoundException") != 0)
        log_warn("grant %s is not retired: %s: %s", r->first->grant_id, reply->code, reply->message);
    finish_first(r);
    ask_next(r);
}

static void ask_next(struct retire *r)
{
    pthread_mutex_lock(&r->lock);
    struct retirement *j = r->asking || r->waiting ? NULL : r->first;
    r->asking |= j != NULL;
    pthread_mutex_unlock(&r->lock);
    if (!j)
        return;
    struct buf body;
    buf_init(&body, 2048);
    kms_body_retire_grant(&body, j->key_arn, j->grant_id);
    struct kms_identity who = {j->account, j->region, NULL};
    kms_client_call(r->ddbd->kms, &who, "RetireGrant", buf_span(&body), on_reply, r);
    buf_done(&body);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct retire *r = arg;
    r->waiting = false;
    ask_next(r);
}

static void kick(void *arg)
{
    ask_next(arg);
}

bool retire_load(struct retire *r, char *why, size_t why_size)
{
    if (!store_scan(r->ddbd->daemon->store, RETIRE_TABLE, load_one, r, why, why_size))
        return false;
    loop_post(r->ddbd->daemon->loop, kick, r);
    return true;
}

void retire_add(struct retire *r, const char *account, const char *region, const char *key_arn, const char *grant_id)
{
    struct buf b;
    struct json_write w;
    buf_init(&b, 4096);
    json_write_init(&w, &b);
    json_obj_begin(&w);
    json_kcstr(&w, "account", account);
    json_kcstr(&w, "region", region);
    json_kcstr(&w, "keyArn", key_arn);
    json_kcstr(&w, "grantId", grant_id);
    json_obj_end(&w);
    pthread_mutex_lock(&r->lock);
    store_put(r->ddbd->daemon->store, RETIRE_TABLE, span_of(grant_id), buf_span(&b));
    append(r, account, region, key_arn, grant_id);
    pthread_mutex_unlock(&r->lock);
    buf_done(&b);
    loop_post(r->ddbd->daemon->loop, kick, r);
}

void retire_add_key(struct retire *r, const struct table_info *t, const struct table_key *key)
{
    for (size_t i = 0; i < TABLE_GRANTS; i++)
        if (key->kind == SSE_KMS && key->grant_ids[i][0])
            retire_add(r, t->account, t->region, key->kms_arn, key->grant_ids[i]);
}

bool retire_busy(struct retire *r)
{
    pthread_mutex_lock(&r->lock);
    bool busy = r->first && !r->waiting;
    pthread_mutex_unlock(&r->lock);
    return busy;
}
