// Checks one table after the other. A Decrypt of the table's own key with its own encryption context, since only that
// tells about this table's grants; the plaintext is thrown away.
#include "ddbd/key_check.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "ddbd/sse_work.h"

struct key_check {
    struct ddbd *ddbd;
    int64_t interval_ns, next_ns;
    const struct table_info **tables; // of the round under way
    size_t n, at;
    bool asking;
};

struct key_check *key_check_new(struct ddbd *d, int64_t interval_ns)
{
    struct key_check *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->ddbd = d;
    k->interval_ns = interval_ns;
    k->next_ns = clock_after(clock_now_ns(d->daemon->clock), interval_ns);
    return k;
}

static void end_round(struct key_check *k)
{
    if (k->tables)
        catalogue_list_free(k->tables, k->n);
    k->tables = NULL;
    k->n = k->at = 0;
}

void key_check_free(struct key_check *k)
{
    if (!k)
        return;
    end_round(k);
    free(k);
}

// ---- what an answer changes ----

struct finding {
    bool lost;
    uint32_t version;
    int64_t now_ns;
};

static bool apply(struct table_info *t, void *arg)
{
    const struct finding *f = arg;
    if (t->key.version != f->version || t->phase != SSE_STEADY || f->lost == (t->inaccessible_ns != 0))
        return false;
    t->inaccessible_ns = f->lost ? f->now_ns : 0;
    if (t->status == TABLE_ACTIVE || t->status == TABLE_INACCESSIBLE)
        t->status = f->lost ? TABLE_INACCESSIBLE : TABLE_ACTIVE;
    return true;
}

static void ask_next(struct key_check *k);

static void on_reply(void *arg, struct kms_reply *r)
{
    struct key_check *k = arg;
    struct ddbd *d = k->ddbd;
    const struct table_info *t = k->tables[k->at++];
    struct finding f = {kms_reply_key_lost(r), t->key.version, clock_now_ns(d->daemon->clock)};
    k->asking = false;
    if (r->outcome == KMS_OK || f.lost) { // else nobody can tell
        const struct table_info *now = catalogue_change(d->catalogue, t, apply, &f);
        if (now) {
            log_info("table %s of %s is %s", t->name, t->account, table_status_text(now->status));
            sse_work_commit(d);
        }
        table_info_unref(now);
    }
    ask_next(k);
}

static void ask_next(struct key_check *k)
{
    if (k->at == k->n) {
        end_round(k);
        return;
    }
    const struct table_info *t = k->tables[k->at];
    struct kms_identity who = {t->account, t->region, NULL};
    struct buf body;
    buf_init(&body, 4096);
    kms_body_decrypt(&body, (struct span){(const char *)t->key.wrapped, t->key.wrapped_n},
                     &(struct kms_context){t->name, t->account});
    k->asking = true;
    kms_client_call(k->ddbd->kms, &who, "Decrypt", buf_span(&body), on_reply, k);
    buf_done(&body);
}

// ---- the job ----

static bool to_check(const struct table_info *t, void *arg)
{
    (void)arg;
    return t->key.kind == SSE_KMS && t->phase == SSE_STEADY && t->status != TABLE_CREATING &&
           t->status != TABLE_DELETING;
}

int64_t key_check_due(void *check)
{
    return ((struct key_check *)check)->next_ns;
}

void key_check_run(void *check, int64_t now_ns)
{
    struct key_check *k = check;
    k->next_ns = clock_after(now_ns, k->interval_ns);
    if (k->tables)
        return; // the last round is still under way
    k->tables = catalogue_list(k->ddbd->catalogue, to_check, NULL, &k->n);
    ask_next(k);
}

bool key_check_busy(const struct key_check *k)
{
    return k->asking;
}
