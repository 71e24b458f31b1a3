// How item operations reach their table. Sits between op_item.c and the key cache; the Decrypt goes out in the name of
// the call's principal (spec 12), so that KMS decides with that principal's rights; for an inaccessible table the
// service asks first.
#include "ddbd/table_access.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/rpc/loop.h"
#include "ddbd/change_feed.h"
#include "ddbd/faults.h"
#include "ddbd/scope.h"
#include "ddbd/sse_keys.h"

// ---- a Decrypt on its way; it outlives the call that began it ----

struct decrypt {
    struct ddbd *ddbd;
    struct kms_client *kms; // the worker's
    struct keycache_fetch *fetch;
    const struct table_info *table; // counted
    const struct principal *user;   // counted
};

static void on_decrypted(void *arg, struct kms_reply *r)
{
    struct decrypt *d = arg;
    char detail[KMS_DETAIL_SIZE];
    const struct fault *fault = kms_reply_fault(r, detail);
    if (!fault && r->plaintext.n != KEY_SIZE)
        fault = &fault_internal, detail[0] = '\0';
    keycache_answer(d->ddbd->keys, d->fetch, d->table, secret_span(&r->plaintext), fault,
                    fault && detail[0] ? detail : NULL);
    table_info_unref(d->table);
    principal_unref(d->user);
    free(d);
}

static void send_decrypt(struct decrypt *d, const struct principal *who, void (*done)(void *arg, struct kms_reply *r))
{
    const struct table_info *t = d->table;
    struct kms_identity identity = {t->account, t->region, who};
    struct buf body;
    buf_init(&body, 4096);
    kms_body_decrypt(&body, (struct span){(const char *)t->key.wrapped, t->key.wrapped_n},
                     &(struct kms_context){t->name, t->account});
    kms_client_call(d->kms, &identity, "Decrypt", buf_span(&body), done, d);
    buf_wipe(&body);
}

// The service can use the key again, so the caller's own right decides.
static void on_service_answer(void *arg, struct kms_reply *r)
{
    struct decrypt *d = arg;
    if (r->outcome == KMS_OK)
        send_decrypt(d, d->user, on_decrypted);
    else
        on_decrypted(d, r);
}

// An inaccessible table is closed to callers who could use its key, too, until the service can (spec 33, 35).
static void start_decrypt(struct call *call, const struct table_info *t, struct keycache_fetch *fetch)
{
    struct decrypt *d = malloc(sizeof *d);
    if (!d)
        abort();
    *d = (struct decrypt){ddbd_of(call), ddbd_worker_of(call)->kms, fetch, table_info_ref(t),
                          principal_ref(call->caller.principal)};
    if (t->inaccessible_ns)
        send_decrypt(d, NULL, on_service_answer);
    else
        send_decrypt(d, d->user, on_decrypted);
}

// Under the owned key no KMS is asked: the answer is here at once.
static void unwrap_owned(struct call *call, const struct table_info *t, struct keycache_fetch *fetch)
{
    struct ddbd *d = ddbd_of(call);
    struct secret key = {0};
    bool ok = sse_keys_open_owned(t, &t->key, &d->owned_key, &key);
    keycache_answer(d->keys, fetch, t, secret_span(&key), ok ? NULL : &fault_internal, NULL);
    secret_done(&key);
}

// ---- behind the key cache ----

static bool deleted_meanwhile(struct ddbd *d, const struct table_info *t)
{
    const struct table_info *now = catalogue_find(d->catalogue, t->account, t->region, t->name);
    bool deleted = !now || now->status == TABLE_DELETING || strcmp(now->id, t->id) != 0;
    table_info_unref(now);
    return deleted;
}

const struct fault *table_access_open(void *arg, const void *context, struct span table_key, void **opened)
{
    struct ddbd *d = arg;
    const struct table_info *t = context;
    struct secret dek = {0};
    enum table_result result = TABLE_DAMAGED;
    if (sse_keys_open_dek(t, &t->key, table_key, &dek))
        result = open_table_acquire(d->tables, t, dek.p, (struct open_table **)opened);
    secret_done(&dek);
    if (result == TABLE_OK)
        return NULL;
    if (result == TABLE_NO_FILE && deleted_meanwhile(d, t))
        return &fault_not_found;
    log_error("table %s of %s in %s cannot be opened: %s", t->name, t->account, t->region,
              result == TABLE_DAMAGED   ? "its file or its wrapped keys were changed"
              : result == TABLE_NO_FILE ? "its file is missing"
                                        : "input/output error");
    return &fault_internal;
}

void table_access_close(void *arg, void *opened)
{
    (void)arg;
    open_table_release(opened);
}

const struct fault *table_access_fault(struct call *call, enum table_result result, struct table *file)
{
    char why[256];
    if (result == TABLE_OK)
        return NULL;
    table_error(file, why, sizeof why);
    const struct call_state *s = call->state;
    log_error("%s %s: table %s: %s", call->request_id, call->op->name, s->name, why);
    return &fault_internal;
}

// ---- the way of a call ----

static void resume(void *arg)
{
    struct call_state *s = arg;
    call_retry(s->call);
}

static void on_ready(struct keycache_waiter *w)
{
    struct call_state *s = w->arg;
    loop_post(s->call->worker->loop, resume, s);
}

static const struct fault *ask_cache(struct call *call, const struct table_info *t)
{
    struct call_state *s = call->state;
    bool kms = t->key.kind == SSE_KMS;
    struct keycache_request r = {
        .principal = kms ? call->caller.principal->arn : "", .kms_arn = kms ? t->key.kms_arn : "", .until_idle = !kms};
    r.id.version = t->key.version;
    memcpy(r.id.table, t->id, sizeof r.id.table);
    s->wait.ready = on_ready;
    s->wait.arg = s;
    struct keycache_fetch *fetch = NULL;
    enum keycache_result result = keycache_get(ddbd_of(call)->keys, &r, &s->wait, &fetch);
    if (result == KEYCACHE_HIT)
        return NULL;
    s->waiting = true;
    if (result == KEYCACHE_FETCH && kms)
        start_decrypt(call, t, fetch);
    else if (result == KEYCACHE_FETCH)
        unwrap_owned(call, t, fetch);
    return &call_pending;
}

static const struct fault *find_table(struct call *call)
{
    const struct table_info *t = scope_table(call);
    if (!t || t->status == TABLE_CREATING || t->status == TABLE_DELETING)
        return &fault_not_found;
    return NULL;
}

// --key-cache=strict: no use of a cached key before kmsd was asked what changed.
static const struct fault *be_up_to_date(struct call *call)
{
    struct call_state *s = call->state;
    if (s->failed)
        return s->failed_detail ? call_fault(call, s->failed, "%s", s->failed_detail) : s->failed;
    if (s->up_to_date || !ddbd_of(call)->strict || s->table->key.kind != SSE_KMS)
        return NULL;
    change_feed_ask(ddbd_worker_of(call)->feed, s);
    return &call_pending;
}

const struct fault *table_access(struct call *call, struct table **file)
{
    const struct fault *fault = find_table(call);
    if (fault)
        return fault;
    struct call_state *s = call->state;
    if (!s->wait.lease && !s->waiting) {
        fault = be_up_to_date(call);
        if (!fault)
            fault = ask_cache(call, s->table);
        if (fault)
            return fault;
    }
    s->waiting = false;
    if (s->wait.fault)
        return s->wait.detail ? call_fault(call, s->wait.fault, "%s", s->wait.detail) : s->wait.fault;
    *file = open_table_file(key_lease_opened(s->wait.lease));
    return NULL;
}
