// What is done in the background for a table: its key and file are made, its key is changed, its throughput, its end.
// Each step begins and ends with the table's record. sse_work.c decides which comes next.
#include <string.h>

#include "common/base/log.h"
#include "common/base/rng.h"
#include "ddbd/retire.h"
#include "ddbd/sse_internal.h"
#include "ddbd/sse_keys.h"
#include "ddbd/throughput.h"

// ---- talking to KMS as the service ----

static void ask(struct work *w, const char *operation, struct buf *body, void (*done)(void *arg, struct kms_reply *r))
{
    struct kms_identity who = {w->table->account, w->table->region, NULL};
    w->asking = true;
    kms_client_call(w->home->ddbd->kms, &who, operation, buf_span(body), done, w);
    buf_wipe(body);
}

static bool usable(struct work *w, const struct kms_reply *r, const char *what)
{
    char detail[KMS_DETAIL_SIZE];
    w->asking = false;
    if (r->outcome == KMS_OK && r->plaintext.n == KEY_SIZE)
        return true;
    if (!kms_reply_fault(r, detail))
        snprintf(detail, sizeof detail, "the reply is incomplete");
    log_warn("table %s of %s: %s: %s", w->table->name, w->table->account, what, detail);
    work_retry_later(w);
    return false;
}

// ---- a new table key: for a new table, or in the place of another ----

static bool keep_first_key(struct table_info *t, void *arg)
{
    t->key = *(const struct table_key *)arg;
    t->status = TABLE_ACTIVE;
    return true;
}

static bool keep_other_key(struct table_info *t, void *arg)
{
    if (t->phase != SSE_PREPARING)
        return false;
    t->other = *(const struct table_key *)arg;
    sse_prepared(t);
    return true;
}

// The data encryption key of the table: new with a new file, else the one that is wrapped under the old table key.
static bool get_dek(struct work *w, const struct table_info *t, struct secret *dek)
{
    struct ddbd *d = w->home->ddbd;
    if (t->status != TABLE_CREATING)
        return sse_keys_open_dek(t, &t->key, secret_span(&w->old_key), dek);
    if (!secret_init(dek, KEY_SIZE))
        return false;
    rng_secret(dek->p, dek->n);
    return open_tables_create(d->tables, t->id, dek->p) == TABLE_OK;
}

static void key_made(struct work *w, const struct table_info *t, struct table_key *key, struct span table_key)
{
    struct ddbd *d = w->home->ddbd;
    struct secret dek = {0};
    bool ok = get_dek(w, t, &dek) && sse_keys_wrap_dek(t, key, table_key, secret_span(&dek));
    secret_done(&dek);
    if (!ok) {
        log_error("table %s of %s: its key or file cannot be made", t->name, t->account);
        work_retry_later(w);
        return;
    }
    table_info_unref(
        catalogue_change(d->catalogue, t, t->status == TABLE_CREATING ? keep_first_key : keep_other_key, key));
    sse_work_commit(d);
    scheduler_wake(d->daemon->scheduler);
    w->failures = 0;
    work_step(w);
}

bool step_wants_key(const struct table_info *t)
{
    return t && (t->status == TABLE_CREATING || t->phase == SSE_PREPARING);
}

static void on_generated(void *arg, struct kms_reply *r)
{
    struct work *w = arg;
    if (!usable(w, r, "GenerateDataKey"))
        return;
    const struct table_info *t = work_current(w);
    if (step_wants_key(t) && r->blob_n) {
        struct table_key key = t->status == TABLE_CREATING ? t->key : t->other;
        memcpy(key.wrapped, r->blob, r->blob_n);
        key.wrapped_n = r->blob_n;
        key_made(w, t, &key, secret_span(&r->plaintext));
    } else {
        work_step(w);
    }
    table_info_unref(t);
}

void step_make_key(struct work *w, const struct table_info *t)
{
    struct table_key key = t->status == TABLE_CREATING ? t->key : t->other;
    if (key.kind == SSE_KMS) {
        struct buf body;
        buf_init(&body, 16384);
        kms_body_generate_data_key(&body, key.kms_arn, &(struct kms_context){t->name, t->account}, w->grant_token);
        ask(w, "GenerateDataKey", &body, on_generated);
        return;
    }
    struct secret table_key = {0};
    if (sse_keys_make_owned(t, &key, &w->home->ddbd->owned_key, &table_key))
        key_made(w, t, &key, secret_span(&table_key));
    else
        work_retry_later(w);
    secret_done(&table_key);
}

// ---- the key that is replaced ----

static void on_old_key(void *arg, struct kms_reply *r)
{
    struct work *w = arg;
    if (!usable(w, r, "Decrypt of the old table key"))
        return;
    secret_done(&w->old_key);
    secret_take(&w->old_key, &r->plaintext);
    work_step(w);
}

// True when the old table key is there; else it is on its way, or asked for again later.
bool step_has_old_key(struct work *w, const struct table_info *t)
{
    if (w->old_key.n)
        return true;
    if (t->key.kind == SSE_OWNED) {
        if (sse_keys_open_owned(t, &t->key, &w->home->ddbd->owned_key, &w->old_key))
            return true;
        log_error("table %s of %s: its wrapped table key was changed", t->name, t->account);
        work_retry_later(w);
        return false;
    }
    struct buf body;
    buf_init(&body, 4096);
    kms_body_decrypt(&body, (struct span){(const char *)t->key.wrapped, t->key.wrapped_n},
                     &(struct kms_context){t->name, t->account});
    ask(w, "Decrypt", &body, on_old_key);
    return false;
}

// ---- giving up ----

static bool abandon(struct table_info *t, void *arg)
{
    if (t->phase != SSE_PREPARING)
        return false;
    sse_abandon(t, arg);
    return true;
}

void step_give_up(struct work *w, const struct table_info *t)
{
    struct ddbd *d = w->home->ddbd;
    struct table_key retire = {0};
    if (t->status == TABLE_CREATING) {
        log_warn("table %s of %s is given up: its key could not be used", t->name, t->account);
        retire_add_key(d->retire, t, &t->key);
        catalogue_remove(d->catalogue, t);
    } else {
        log_warn("the change of key of table %s of %s is given up", t->name, t->account);
        table_info_unref(catalogue_change(d->catalogue, t, abandon, &retire));
        retire_add_key(d->retire, t, &retire);
    }
    sse_work_commit(d);
    work_step(w);
}

// ---- throughput, deletion ----

static bool finish_update(struct table_info *t, void *arg)
{
    throughput_finish(t, *(int64_t *)arg);
    return true;
}

void step_update(struct work *w, const struct table_info *t)
{
    struct ddbd *d = w->home->ddbd;
    int64_t now_ns = clock_now_ns(d->daemon->clock);
    table_info_unref(catalogue_change(d->catalogue, t, finish_update, &now_ns));
    sse_work_commit(d);
    work_step(w);
}

// The file goes first: a record without a file is deleted again, a file without a record would stay for ever.
void step_delete(struct work *w, const struct table_info *t)
{
    struct ddbd *d = w->home->ddbd;
    keycache_drop_table(d->keys, t->id, 0);
    if (!open_tables_remove(d->tables, t)) {
        work_retry_later(w); // a call is still at it
        return;
    }
    retire_add_key(d->retire, t, &t->key);
    retire_add_key(d->retire, t, &t->other);
    catalogue_remove(d->catalogue, t);
    sse_work_commit(d);
    work_step(w);
}
