// The key cache. Asked by table_access.c for every item operation, expired by a scheduler job, dropped by sse_work.c
// (key changed, table deleted) and change_feed.c (--key-cache=strict). Knows neither KMS nor tables.
#include "ddbd/keycache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fnv.h"

#define BUCKETS 1024
// A clock that was set back further than this makes entries look as if they were of the future: they are dropped.
#define BACKWARDS_NS INT64_C(1000000000)
// Entries that live until idle are moved on at most this often.
#define USE_STEP_NS INT64_C(1000000000)

struct key_lease {
    atomic_uint refs;
    void *opened;
};

struct entry {
    struct keycache_id id;
    char *principal, *kms_arn;
    bool until_idle;
    size_t bucket;
    struct entry *same_bucket;
    struct entry *older, *newer; // ready entries by expiry
    int64_t from_ns, until_ns;
    struct key_lease *lease;      // NULL: not ready
    struct keycache_fetch *fetch; // on its way
};

struct keycache_fetch {
    struct entry *entry; // NULL: dropped meanwhile, the answer is not kept
    int64_t started_ns;
    struct keycache_waiter *waiters, **tail;
};

struct keycache {
    struct keycache_ops ops;
    int64_t ttl_ns;
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    struct entry *oldest, *newest;
    size_t ready;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

struct keycache *keycache_new(const struct keycache_ops *ops, int64_t ttl_ns)
{
    struct keycache *c = must(calloc(1, sizeof *c));
    c->ops = *ops;
    c->ttl_ns = ttl_ns;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

// ---- leases ----

static struct key_lease *lease_new(void *opened)
{
    struct key_lease *l = must(malloc(sizeof *l));
    atomic_init(&l->refs, 1);
    l->opened = opened;
    return l;
}

static struct key_lease *lease_ref(struct key_lease *l)
{
    atomic_fetch_add(&l->refs, 1);
    return l;
}

void *key_lease_opened(const struct key_lease *l)
{
    return l->opened;
}

void key_lease_release(struct keycache *c, struct key_lease *l)
{
    if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    c->ops.close(c->ops.arg, l->opened);
    free(l);
}

// ---- entries: the caller holds the lock ----

static size_t bucket_of(const struct keycache_id *id, const char *principal)
{
    uint64_t h = fnv_span(FNV_START ^ id->version, span_of(id->table));
    h = fnv_span(h, span_of(principal));
    return (size_t)(h ^ h >> 32) % BUCKETS;
}

static bool same_id(const struct keycache_id *a, const struct keycache_id *b)
{
    return a->version == b->version && strcmp(a->table, b->table) == 0;
}

static struct entry *entry_find(struct keycache *c, const struct keycache_request *r)
{
    struct entry *e = c->buckets[bucket_of(&r->id, r->principal)];
    while (e && !(same_id(&e->id, &r->id) && strcmp(e->principal, r->principal) == 0))
        e = e->same_bucket;
    return e;
}

static struct entry *entry_add(struct keycache *c, const struct keycache_request *r)
{
    struct entry *e = must(calloc(1, sizeof *e));
    e->id = r->id;
    e->principal = must(strdup(r->principal));
    e->kms_arn = must(strdup(r->kms_arn));
    e->until_idle = r->until_idle;
    e->bucket = bucket_of(&r->id, r->principal);
    e->same_bucket = c->buckets[e->bucket];
    c->buckets[e->bucket] = e;
    return e;
}

static void unlink_ready(struct keycache *c, struct entry *e)
{
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    e->older = e->newer = NULL;
    c->ready--;
}

static void link_ready(struct keycache *c, struct entry *e)
{
    struct entry *before = c->newest; // answers come nearly in the order of their expiry
    while (before && before->until_ns > e->until_ns)
        before = before->older;
    e->older = before;
    e->newer = before ? before->newer : c->oldest;
    *(e->newer ? &e->newer->older : &c->newest) = e;
    *(before ? &before->newer : &c->oldest) = e;
    c->ready++;
}

// Takes the lease out of the entry; the entry is not ready any more.
static struct key_lease *entry_take_lease(struct keycache *c, struct entry *e)
{
    struct key_lease *l = e->lease;
    if (l)
        unlink_ready(c, e);
    e->lease = NULL;
    return l;
}

static void entry_remove(struct keycache *c, struct entry *e)
{
    struct entry **at = &c->buckets[e->bucket];
    while (*at != e)
        at = &(*at)->same_bucket;
    *at = e->same_bucket;
    if (e->fetch)
        e->fetch->entry = NULL;
    free(e->principal);
    free(e->kms_arn);
    free(e);
}

// ---- asking ----

static bool fresh(const struct entry *e, int64_t now)
{
    return e->lease && now < e->until_ns && now > e->from_ns - BACKWARDS_NS;
}

static void use(struct keycache *c, struct entry *e, int64_t now)
{
    if (!e->until_idle || e->until_ns - now > c->ttl_ns - USE_STEP_NS)
        return;
    unlink_ready(c, e);
    e->until_ns = now + c->ttl_ns;
    link_ready(c, e);
}

static void wait_for(struct keycache_fetch *f, struct keycache_waiter *w)
{
    w->fetch = f;
    w->next = NULL;
    *f->tail = w;
    f->tail = &w->next;
}

static struct keycache_fetch *fetch_new(struct entry *e, int64_t now)
{
    struct keycache_fetch *f = must(calloc(1, sizeof *f));
    f->entry = e;
    f->started_ns = now;
    f->tail = &f->waiters;
    e->fetch = f;
    return f;
}

enum keycache_result keycache_get(struct keycache *c, const struct keycache_request *r, struct keycache_waiter *w,
                                  struct keycache_fetch **fetch)
{
    enum keycache_result result = KEYCACHE_WAIT;
    struct key_lease *stale = NULL;
    pthread_mutex_lock(&c->lock);
    int64_t now = c->ops.now(c->ops.arg);
    struct entry *e = entry_find(c, r);
    if (e && fresh(e, now)) {
        use(c, e, now);
        w->lease = lease_ref(e->lease);
        result = KEYCACHE_HIT;
    } else {
        if (!e)
            e = entry_add(c, r);
        stale = entry_take_lease(c, e);
        if (!e->fetch) {
            *fetch = fetch_new(e, now);
            result = KEYCACHE_FETCH;
        }
        wait_for(e->fetch, w);
    }
    pthread_mutex_unlock(&c->lock);
    key_lease_release(c, stale);
    return result;
}

// ---- answering ----

// Keeps the lease for the principal, if its entry is still wanted. True when the next expiry became earlier.
static bool keep(struct keycache *c, struct keycache_fetch *f, struct key_lease *l)
{
    struct entry *e = f->entry;
    e->lease = lease_ref(l);
    e->from_ns = f->started_ns;
    e->until_ns = f->started_ns + c->ttl_ns;
    link_ready(c, e);
    return c->oldest == e;
}

static void tell(struct keycache_waiter *w, struct key_lease *l, const struct fault *fault, const char *detail)
{
    w->next = NULL;
    w->fetch = NULL;
    w->lease = l ? lease_ref(l) : NULL;
    w->fault = fault;
    w->detail = fault && detail ? must(strdup(detail)) : NULL;
}

static void tell_all(struct keycache_fetch *f, struct key_lease *l, const struct fault *fault, const char *detail)
{
    for (struct keycache_waiter *w = f->waiters, *next; w; w = next) {
        next = w->next;
        tell(w, l, fault, detail);
        w->ready(w);
    }
}

void keycache_answer(struct keycache *c, struct keycache_fetch *f, const void *context, struct span table_key,
                     const struct fault *fault, const char *detail)
{
    void *opened = NULL;
    if (!fault)
        fault = c->ops.open(c->ops.arg, context, table_key, &opened);
    struct key_lease *l = fault ? NULL : lease_new(opened);
    bool earlier = false;
    pthread_mutex_lock(&c->lock);
    if (f->entry) {
        f->entry->fetch = NULL;
        if (l)
            earlier = keep(c, f, l);
        else
            entry_remove(c, f->entry);
    }
    tell_all(f, l, fault, detail);
    pthread_mutex_unlock(&c->lock);
    free(f);
    key_lease_release(c, l);
    if (earlier)
        c->ops.woken(c->ops.arg);
}

void keycache_cancel(struct keycache *c, struct keycache_waiter *w)
{
    pthread_mutex_lock(&c->lock);
    if (w->fetch) {
        struct keycache_waiter **at = &w->fetch->waiters;
        while (*at != w)
            at = &(*at)->next;
        *at = w->next;
        if (!w->next)
            w->fetch->tail = at;
        w->fetch = NULL;
    }
    pthread_mutex_unlock(&c->lock);
}

void keycache_waiter_done(struct keycache *c, struct keycache_waiter *w)
{
    key_lease_release(c, w->lease);
    free(w->detail);
    w->lease = NULL;
    w->detail = NULL;
    w->fault = NULL;
}

// ---- dropping ----

struct drop {
    const char *kms_arn;  // NULL: any KMS key's
    const char *table_id; // NULL: any
    uint32_t version;     // 0: any
};

static bool hit_by(const struct entry *e, const struct drop *d)
{
    if (d->table_id)
        return strcmp(e->id.table, d->table_id) == 0 && (!d->version || e->id.version == d->version);
    return !e->until_idle && (!d->kms_arn || strcmp(e->kms_arn, d->kms_arn) == 0);
}

static void drop_in_bucket(struct keycache *c, size_t b, const struct drop *d, struct key_lease **leases, size_t *n)
{
    for (struct entry *e = c->buckets[b], *next; e; e = next) {
        next = e->same_bucket;
        if (!hit_by(e, d))
            continue;
        struct key_lease *l = entry_take_lease(c, e);
        if (l)
            leases[(*n)++] = l;
        entry_remove(c, e);
    }
}

static void drop(struct keycache *c, const struct drop *d)
{
    size_t n = 0;
    pthread_mutex_lock(&c->lock);
    struct key_lease **leases = must(malloc((c->ready + 1) * sizeof(*leases)));
    for (size_t b = 0; b < BUCKETS; b++)
        drop_in_bucket(c, b, d, leases, &n);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < n; i++)
        key_lease_release(c, leases[i]);
    free(leases);
}

void keycache_drop_key(struct keycache *c, const char *kms_arn)
{
    drop(c, &(struct drop){.kms_arn = kms_arn});
}

void keycache_drop_table(struct keycache *c, const char *table_id, uint32_t version)
{
    drop(c, &(struct drop){.table_id = table_id, .version = version});
}

int64_t keycache_due(struct keycache *c)
{
    pthread_mutex_lock(&c->lock);
    int64_t due = c->oldest ? c->oldest->until_ns : INT64_MAX;
    pthread_mutex_unlock(&c->lock);
    return due;
}

void keycache_expire(struct keycache *c, int64_t now_ns)
{
    for (bool more = true; more;) {
        struct key_lease *l = NULL;
        pthread_mutex_lock(&c->lock);
        struct entry *e = c->oldest;
        more = e && now_ns >= e->until_ns;
        if (more) {
            l = entry_take_lease(c, e);
            if (!e->fetch)
                entry_remove(c, e);
        }
        pthread_mutex_unlock(&c->lock);
        key_lease_release(c, l);
    }
}

size_t keycache_entries(struct keycache *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = c->ready;
    pthread_mutex_unlock(&c->lock);
    return n;
}

void keycache_free(struct keycache *c)
{
    if (!c)
        return;
    for (size_t b = 0; b < BUCKETS; b++)
        while (c->buckets[b]) {
            key_lease_release(c, entry_take_lease(c, c->buckets[b]));
            entry_remove(c, c->buckets[b]);
        }
    pthread_mutex_destroy(&c->lock);
    free(c);
}
