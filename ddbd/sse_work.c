// The background of table operations: a small state machine per table whose state is the table's record, so that it
// goes on where it was after any crash. Kicked by calls (call_state.c) and at start; runs in the main thread.
#include "ddbd/sse_work.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/rpc/loop.h"
#include "ddbd/backoff.h"
#include "ddbd/retire.h"
#include "ddbd/sse_keys.h"
#include "ddbd/throughput.h"

// A table whose key cannot be used stays CREATING for about 59 minutes, then it is gone (spec 37). A change of key that
// cannot be prepared is given up after the same time.
#define GIVE_UP_NS (INT64_C(59) * 60 * NS_PER_S)

struct work {
    struct sse_work *home;
    struct work *next;
    const struct table_info *table; // which one; counted
    char *grant_token;
    struct secret old_key; // plaintext of the table key that is replaced
    struct event *retry;
    unsigned failures;
    bool asking;  // KMS
    bool waiting; // for a retry
};

struct sse_work {
    struct ddbd *ddbd;
    struct work *first;
};

static void step(struct work *w);

void sse_work_commit(struct ddbd *d)
{
    char why[256];
    if (store_commit(d->daemon->store, why, sizeof why))
        return;
    // Memory is ahead of the disk; what is on disk is a complete earlier state.
    log_error("the catalogue cannot be written: %s; ending", why);
    daemon_stop(d->daemon, 1);
}

// ---- list of work ----

static void work_free(struct work *w)
{
    struct work **at = &w->home->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    table_info_unref(w->table);
    secret_done(&w->old_key);
    free(w->grant_token);
    event_free(w->retry);
    free(w);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct work *w = arg;
    w->waiting = false;
    step(w);
}

static struct work *work_of(struct sse_work *home, const struct table_info *t)
{
    struct work *w = home->first;
    while (w && strcmp(w->table->id, t->id) != 0)
        w = w->next;
    if (w)
        return w;
    w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->home = home;
    w->table = table_info_ref(t);
    w->retry = event_new(loop_base(home->ddbd->daemon->loop), -1, 0, on_retry, w);
    if (!w->retry)
        abort();
    w->next = home->first;
    home->first = w;
    return w;
}

static void retry_later(struct work *w)
{
    struct timeval after = backoff_after(w->failures++);
    w->waiting = true;
    event_add(w->retry, &after);
}

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
    retry_later(w);
    return false;
}

// ---- a new table key: for a new table, or in the place of another ----

struct made {
    const struct table_key *key;
    int64_t now_ns;
};

static bool keep_first_key(struct table_info *t, void *arg)
{
    const struct made *m = arg;
    t->key = *m->key;
    t->status = TABLE_ACTIVE;
    return true;
}

static bool keep_other_key(struct table_info *t, void *arg)
{
    const struct made *m = arg;
    if (t->phase != SSE_PREPARING)
        return false;
    t->other = *m->key;
    sse_prepared(t, m->now_ns);
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
        retry_later(w);
        return;
    }
    struct made m = {key, clock_now_ns(d->daemon->clock)};
    table_info_unref(
        catalogue_change(d->catalogue, t, t->status == TABLE_CREATING ? keep_first_key : keep_other_key, &m));
    sse_work_commit(d);
    scheduler_wake(d->daemon->scheduler);
    w->failures = 0;
    step(w);
}

static const struct table_info *current(struct work *w)
{
    const struct table_info *t =
        catalogue_find(w->home->ddbd->catalogue, w->table->account, w->table->region, w->table->name);
    if (!t || strcmp(t->id, w->table->id) == 0)
        return t;
    table_info_unref(t);
    return NULL;
}

static bool wants_key(const struct table_info *t)
{
    return t && (t->status == TABLE_CREATING || t->phase == SSE_PREPARING);
}

static void on_generated(void *arg, struct kms_reply *r)
{
    struct work *w = arg;
    if (!usable(w, r, "GenerateDataKey"))
        return;
    const struct table_info *t = current(w);
    if (wants_key(t) && r->blob_n) {
        struct table_key key = t->status == TABLE_CREATING ? t->key : t->other;
        memcpy(key.wrapped, r->blob, r->blob_n);
        key.wrapped_n = r->blob_n;
        key_made(w, t, &key, secret_span(&r->plaintext));
    } else {
        step(w);
    }
    table_info_unref(t);
}

static void make_key(struct work *w, const struct table_info *t)
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
        retry_later(w);
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
    step(w);
}

// True when the old table key is there; else it is on its way, or asked for again later.
static bool has_old_key(struct work *w, const struct table_info *t)
{
    if (w->old_key.n)
        return true;
    if (t->key.kind == SSE_OWNED) {
        if (sse_keys_open_owned(t, &t->key, &w->home->ddbd->owned_key, &w->old_key))
            return true;
        log_error("table %s of %s: its wrapped table key was changed", t->name, t->account);
        retry_later(w);
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

static void give_up(struct work *w, const struct table_info *t)
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
    step(w);
}

static bool overdue(struct work *w, const struct table_info *t)
{
    int64_t since = t->status == TABLE_CREATING ? t->created_ns : t->sse_changed_ns;
    return w->failures > 0 && clock_now_ns(w->home->ddbd->daemon->clock) >= since + GIVE_UP_NS;
}

// ---- throughput, deletion ----

static bool finish_update(struct table_info *t, void *arg)
{
    throughput_finish(t, *(int64_t *)arg);
    return true;
}

static void update(struct work *w, const struct table_info *t)
{
    struct ddbd *d = w->home->ddbd;
    int64_t now_ns = clock_now_ns(d->daemon->clock);
    table_info_unref(catalogue_change(d->catalogue, t, finish_update, &now_ns));
    sse_work_commit(d);
    step(w);
}

// The file goes first: a record without a file is deleted again, a file without a record would stay for ever.
static void delete_table(struct work *w, const struct table_info *t)
{
    struct ddbd *d = w->home->ddbd;
    keycache_drop_table(d->keys, t->id, 0);
    if (!open_tables_remove(d->tables, t)) {
        retry_later(w); // a call is still at it
        return;
    }
    retire_add_key(d->retire, t, &t->key);
    retire_add_key(d->retire, t, &t->other);
    catalogue_remove(d->catalogue, t);
    sse_work_commit(d);
    step(w);
}

static void step(struct work *w)
{
    if (w->asking || w->waiting)
        return;
    const struct table_info *t = current(w);
    if (!t)
        work_free(w);
    else if (t->status == TABLE_DELETING)
        delete_table(w, t);
    else if (wants_key(t) && overdue(w, t))
        give_up(w, t);
    else if (t->status == TABLE_CREATING || (t->phase == SSE_PREPARING && has_old_key(w, t)))
        make_key(w, t);
    else if (t->phase == SSE_PREPARING)
        ; // on_old_key() or on_retry() goes on
    else if (t->status == TABLE_UPDATING)
        update(w, t);
    else
        work_free(w);
    table_info_unref(t);
}

// ---- from outside ----

struct sse_work *sse_work_new(struct ddbd *d)
{
    struct sse_work *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->ddbd = d;
    return s;
}

void sse_work_free(struct sse_work *s)
{
    if (!s)
        return;
    while (s->first)
        work_free(s->first);
    free(s);
}

struct kick {
    struct sse_work *home;
    const struct table_info *table;
    char *grant_token;
    struct secret old_key;
};

static void on_kick(void *arg)
{
    struct kick *k = arg;
    struct work *w = work_of(k->home, k->table);
    if (k->grant_token) {
        free(w->grant_token);
        w->grant_token = k->grant_token;
    }
    if (k->old_key.n) {
        secret_done(&w->old_key);
        secret_take(&w->old_key, &k->old_key);
    }
    table_info_unref(k->table);
    free(k);
    step(w);
}

void sse_work_kick(struct sse_work *s, const struct table_info *t, struct sse_call *made)
{
    struct kick *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->home = s;
    k->table = table_info_ref(t);
    if (made) {
        k->grant_token = made->grant_token;
        made->grant_token = NULL;
        secret_take(&k->old_key, &made->old_key);
    }
    loop_post(s->ddbd->daemon->loop, on_kick, k);
}

static bool half_done(const struct table_info *t, void *arg)
{
    (void)arg;
    return t->status == TABLE_CREATING || t->status == TABLE_UPDATING || t->status == TABLE_DELETING ||
           t->phase == SSE_PREPARING;
}

void sse_work_resume(struct sse_work *s)
{
    size_t n;
    const struct table_info **list = catalogue_list(s->ddbd->catalogue, half_done, NULL, &n);
    for (size_t i = 0; i < n; i++)
        sse_work_kick(s, list[i], NULL);
    catalogue_list_free(list, n);
}

bool sse_work_busy(struct sse_work *s)
{
    for (struct work *w = s->first; w; w = w->next)
        if (!w->waiting)
            return true;
    return false;
}
