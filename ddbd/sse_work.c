// The background of table operations: a small state machine per table whose state is the table's record, so that it
// goes on where it was after any crash. Kicked by calls (call_state.c) and at start; runs in the main thread.
#include "ddbd/sse_work.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/rpc/loop.h"
#include "ddbd/backoff.h"
#include "ddbd/sse_internal.h"

// A table whose key cannot be used stays CREATING for about 59 minutes, then it is gone (spec 37). A change of key that
// cannot be prepared is given up after the same time.
#define GIVE_UP_NS (INT64_C(59) * 60 * NS_PER_S)

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
    w->home->queued_n -= w->queued;
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
    work_step(w);
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

// A table's file takes the disk's time. One table a turn of the loop: signals, the trail and the clock come in between,
// however many tables there are.
static void enqueue(struct work *w)
{
    struct timeval now = {0, 0};
    w->home->queued_n += !w->queued;
    w->queued = true;
    event_add(w->home->turn, &now);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sse_work *home = arg;
    struct work *oldest = NULL;
    for (struct work *w = home->first; w; w = w->next)
        oldest = w->queued ? w : oldest;
    if (!oldest)
        return;
    oldest->queued = false;
    home->queued_n--;
    work_step(oldest);
    struct timeval now = {0, 0};
    if (home->queued_n)
        event_add(home->turn, &now);
}

void work_retry_later(struct work *w)
{
    struct timeval after = backoff_after(w->failures++);
    w->waiting = true;
    event_add(w->retry, &after);
    scheduler_wake(w->home->ddbd->daemon->scheduler); // it may be given up
}

const struct table_info *work_current(struct work *w)
{
    const struct table_info *t =
        catalogue_find(w->home->ddbd->catalogue, w->table->account, w->table->region, w->table->name);
    if (!t || strcmp(t->id, w->table->id) == 0)
        return t;
    table_info_unref(t);
    return NULL;
}

// When the work is given up, if it still fails; INT64_MAX: it does not fail.
static int64_t deadline(const struct work *w, const struct table_info *t)
{
    if (w->failures == 0 || !step_wants_key(t))
        return INT64_MAX;
    return (t->status == TABLE_CREATING ? t->created_ns : t->sse_changed_ns) + GIVE_UP_NS;
}

void work_step(struct work *w)
{
    if (w->asking || w->waiting)
        return;
    const struct table_info *t = work_current(w);
    if (!t)
        work_free(w);
    else if (t->status == TABLE_DELETING)
        step_delete(w, t);
    else if (clock_now_ns(w->home->ddbd->daemon->clock) >= deadline(w, t))
        step_give_up(w, t);
    else if (t->status == TABLE_CREATING || (t->phase == SSE_PREPARING && step_has_old_key(w, t)))
        step_make_key(w, t);
    else if (t->phase == SSE_PREPARING)
        ; // the old table key is on its way
    else if (t->status == TABLE_UPDATING)
        step_update(w, t);
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
    s->turn = event_new(loop_base(d->daemon->loop), -1, 0, on_turn, s);
    if (!s->turn)
        abort();
    return s;
}

void sse_work_free(struct sse_work *s)
{
    if (!s)
        return;
    while (s->first)
        work_free(s->first);
    event_free(s->turn);
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
    enqueue(w);
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

// ---- giving up, on the daemon's clock ----

static int64_t waiting_deadline(struct work *w)
{
    const struct table_info *t = w->waiting ? work_current(w) : NULL;
    int64_t at = t ? deadline(w, t) : INT64_MAX;
    table_info_unref(t);
    return at;
}

int64_t sse_work_due(void *work)
{
    int64_t due = INT64_MAX;
    for (struct work *w = ((struct sse_work *)work)->first; w; w = w->next) {
        int64_t at = waiting_deadline(w);
        due = at < due ? at : due;
    }
    return due;
}

void sse_work_run(void *work, int64_t now_ns)
{
    struct work *w = ((struct sse_work *)work)->first;
    while (w && waiting_deadline(w) > now_ns)
        w = w->next;
    if (!w)
        return;
    event_del(w->retry);
    w->waiting = false;
    work_step(w);
}
