// --key-cache=strict. A question is shared by all calls that came before it was sent; a call that comes while one is
// under way waits for the next, since the answer to the first may be older than the call.
#include "ddbd/change_feed.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/rpc/call.h"
#include "ddbd/ddbd.h"
#include "ddbd/faults.h"

#define EPOCH_SIZE 65

// ---- what is known of the feed, shared by the workers ----

struct change_position {
    struct keycache *keys;
    pthread_mutex_t lock;
    char epoch[EPOCH_SIZE]; // empty: nothing yet
    uint64_t last;
};

struct change_position *change_position_new(struct keycache *keys)
{
    struct change_position *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->keys = keys;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void change_position_free(struct change_position *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void target_of(struct change_position *p, char out[160])
{
    pthread_mutex_lock(&p->lock);
    int n = snprintf(out, 160, "/_kmsd/changes?after=%llu", (unsigned long long)p->last);
    if (p->epoch[0])
        snprintf(out + n, 160 - (size_t)n, "&epoch=%s", p->epoch);
    pthread_mutex_unlock(&p->lock);
}

static void drop_changed(struct change_position *p, const json_t *changes)
{
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        const char *arn = json_string_value(json_object_get(change, "keyId"));
        json_int_t sequence = json_integer_value(json_object_get(change, "sequence"));
        if (arn && (uint64_t)sequence > p->last)
            keycache_drop_key(p->keys, arn);
    }
}

// epoch goes into a URL again: hexadecimal and such only.
static bool epoch_valid(struct span e)
{
    for (size_t i = 0; i < e.n; i++)
        if (!((e.p[i] >= '0' && e.p[i] <= '9') || (e.p[i] >= 'a' && e.p[i] <= 'z') || e.p[i] == '-'))
            return false;
    return e.n > 0 && e.n < EPOCH_SIZE;
}

// An answer may be older than one that another worker has applied: then it says nothing new. The lock is held while
// entries are dropped, so that nobody goes on with a position that is not yet in force.
static void apply(struct change_position *p, struct span epoch, uint64_t last, bool reset, const json_t *changes)
{
    pthread_mutex_lock(&p->lock);
    bool other_run = !span_is(epoch, p->epoch);
    if (reset || other_run)
        keycache_drop_key(p->keys, NULL);
    else
        drop_changed(p, changes);
    if (other_run || last > p->last)
        p->last = last;
    memcpy(p->epoch, epoch.p, epoch.n);
    p->epoch[epoch.n] = '\0';
    pthread_mutex_unlock(&p->lock);
}

bool change_position_read(struct change_position *p, struct span body)
{
    json_t *v = json_read(body, NULL, 0);
    struct span epoch = json_span(json_object_get(v, "epoch"));
    const json_t *last = json_object_get(v, "last"), *changes = json_object_get(v, "changes");
    bool ok = epoch_valid(epoch) && json_is_integer(last) && json_integer_value(last) >= 0 && json_is_array(changes);
    if (ok)
        apply(p, epoch, (uint64_t)json_integer_value(last), json_is_true(json_object_get(v, "reset")), changes);
    json_decref(v);
    return ok;
}

// ---- one worker's questions ----

struct calls {
    struct call_state **v;
    size_t n, cap;
};

struct change_feed {
    struct change_position *position;
    struct kms_client *kms;
    bool asking;
    struct calls asked, next; // for the question under way; for the one after it
};

struct change_feed *change_feed_new(struct change_position *p, struct kms_client *kms)
{
    struct change_feed *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->position = p;
    f->kms = kms;
    return f;
}

void change_feed_free(struct change_feed *f)
{
    if (!f)
        return;
    free(f->asked.v);
    free(f->next.v);
    free(f);
}

static void add(struct calls *c, struct call_state *s)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->v = realloc(c->v, c->cap * sizeof(*c->v));
        if (!c->v)
            abort();
    }
    c->v[c->n++] = s;
}

static void forget(struct calls *c, const struct call_state *s)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i] == s)
            c->v[i] = NULL;
}

static void ask(struct change_feed *f);

static void on_reply(void *arg, int status, struct span body)
{
    struct change_feed *f = arg;
    bool ok = status == 200 && change_position_read(f->position, body);
    char reason[128];
    snprintf(reason, sizeof reason, "%.*s", (int)(body.n < 100 ? body.n : 100), body.p ? body.p : "");
    struct calls told = f->asked;
    f->asked = f->next;
    f->next = (struct calls){0};
    f->asking = false;
    if (f->asked.n)
        ask(f);
    for (size_t i = 0; i < told.n; i++) {
        struct call_state *s = told.v[i];
        if (!s)
            continue;
        s->up_to_date = ok;
        s->failed = ok ? NULL : &fault_internal;
        if (!ok)
            s->failed_detail = arena_printf(&s->call->arena,
                                            "KMS internal error: com.amazonaws.SdkClientException: Unable to execute "
                                            "HTTP request: %s",
                                            status ? "the change feed of KMS could not be read" : reason);
        call_retry(s->call);
    }
    free(told.v);
}

static void ask(struct change_feed *f)
{
    char target[160];
    target_of(f->position, target);
    f->asking = true;
    kms_client_admin(f->kms, target, (struct span){0}, 0, on_reply, f);
}

void change_feed_ask(struct change_feed *f, struct call_state *s)
{
    add(f->asking ? &f->next : &f->asked, s);
    if (!f->asking)
        ask(f);
}

void change_feed_forget(struct change_feed *f, struct call_state *s)
{
    forget(&f->asked, s);
    forget(&f->next, s);
}
