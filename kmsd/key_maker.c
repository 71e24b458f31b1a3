// The threads that make keys, what they have made ahead, and the calls that wait for them. One lock guards all of it;
// it is never held while a key is made.
#include "kmsd/key_maker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/rpc/worker.h"
#include "kmsd/call_state.h"
#include "kmsd/faults.h"
#include "kmsd/key_type.h"

#define AHEAD 3     // keys made ahead of each spec
#define HANDS_MAX 5 // one that makes ahead, and half as many as there are processors for those who wait
// Workers come first, then those who wait.
#define NICENESS_ORDERS 5
#define NICENESS_AHEAD 15

// What a call waits for; hangs on the call and is freed with it.
struct order {
    struct call_state base;
    struct call *call;
    struct shelf *shelf;
    struct secret material; // empty: not made yet, or in vain
    struct order *next;     // in the queue, oldest first
};

// Of one spec, at its place in key_specs.
struct shelf {
    struct secret ready[AHEAD];
    size_t ready_n;            // keys that nobody waits for
    size_t waiting_n;          // orders in the queue
    size_t serving_n, ahead_n; // keys in making, for orders and for the shelf
    bool wanted;               // asked for once
};

struct hand {
    struct key_maker *maker;
    pthread_t thread;
    bool ahead;
};

struct key_maker {
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stop; // read by key_type.make_slowly without the lock
    struct order *first, **last;
    struct shelf *shelves;
    size_t shelves_n;
    struct hand hands[HANDS_MAX];
    size_t hands_n; // started with the first order
};

struct key_maker *key_maker_new(void)
{
    struct key_maker *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    while (key_specs[m->shelves_n].name)
        m->shelves_n++;
    m->shelves = calloc(m->shelves_n, sizeof *m->shelves);
    if (!m->shelves)
        abort();
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->work, NULL);
    m->last = &m->first;
    return m;
}

// ---- the threads; the lock is held but while a key is made ----

// For whoever has waited longest without a key in making. NULL: nobody.
static struct shelf *next_ordered(struct key_maker *m)
{
    for (struct order *o = m->first; o; o = o->next)
        if (o->shelf->serving_n < o->shelf->waiting_n)
            return o->shelf;
    return NULL;
}

static struct shelf *next_ahead(struct key_maker *m)
{
    for (struct shelf *s = m->shelves; s < m->shelves + m->shelves_n; s++)
        if (s->wanted && s->ready_n + s->ahead_n < AHEAD)
            return s;
    return NULL;
}

static struct order *oldest_order(struct key_maker *m, const struct shelf *s)
{
    struct order *o = m->first;
    while (o && o->shelf != s)
        o = o->next;
    return o;
}

// In the worker's thread.
static void restart(void *arg)
{
    struct order *o = arg;
    call_restart(o->call);
}

// The order leaves the queue; its call goes on. material is empty where it failed.
static void finish(struct key_maker *m, struct order *o, struct secret *material)
{
    struct order **at = &m->first;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    if (!*at)
        m->last = at;
    o->shelf->waiting_n--;
    secret_take(&o->material, material);
    loop_post(o->call->worker->loop, restart, o);
}

// It goes to whoever has waited longest for this spec, for whomever it was begun.
static void make_one(struct key_maker *m, struct shelf *s, size_t *in_making)
{
    const struct key_spec *spec = &key_specs[s - m->shelves];
    struct secret material = {NULL, 0};
    ++*in_making;
    pthread_mutex_unlock(&m->lock);
    bool ok = spec->type->make_slowly(spec, &m->stop, &material);
    pthread_mutex_lock(&m->lock);
    --*in_making;
    struct order *o = oldest_order(m, s);
    if (!ok)
        secret_done(&material);
    if (o)
        finish(m, o, &material);
    else if (ok && s->ready_n < AHEAD)
        secret_take(&s->ready[s->ready_n++], &material);
    else
        s->wanted = ok;
    secret_done(&material);
}

static void *work(void *arg)
{
    const struct hand *h = arg;
    struct key_maker *m = h->maker;
    setpriority(PRIO_PROCESS, (id_t)gettid(), h->ahead ? NICENESS_AHEAD : NICENESS_ORDERS); // of this thread, on Linux
    pthread_mutex_lock(&m->lock);
    while (!m->stop) {
        struct shelf *s = h->ahead ? next_ahead(m) : next_ordered(m);
        if (s)
            make_one(m, s, h->ahead ? &s->ahead_n : &s->serving_n);
        else
            pthread_cond_wait(&m->work, &m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static bool start_hand(struct key_maker *m, bool ahead)
{
    struct hand *h = &m->hands[m->hands_n];
    *h = (struct hand){.maker = m, .ahead = ahead};
    if (m->hands_n == HANDS_MAX || pthread_create(&h->thread, NULL, work, h) != 0)
        return false;
    m->hands_n++;
    return true;
}

// One that serves orders must be there. Signals are the main thread's alone.
static bool start_hands(struct key_maker *m)
{
    sigset_t all, before;
    long n = sysconf(_SC_NPROCESSORS_ONLN) / 2;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = start_hand(m, false);
    bool more = ok && start_hand(m, true);
    while (more && --n > 0)
        more = start_hand(m, false);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

// ---- calls ----

static void order_free(struct call_state *state)
{
    struct order *o = (struct order *)state;
    secret_done(&o->material);
    free(o);
}

static struct order *add_order(struct key_maker *m, struct call *call, struct shelf *s)
{
    struct order *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    *o = (struct order){.base.free = order_free, .call = call, .shelf = s};
    *m->last = o;
    m->last = &o->next;
    s->waiting_n++;
    return o;
}

static const struct fault *take_or_order(struct key_maker *m, struct call *call, const struct key_spec *spec,
                                         struct secret *material)
{
    struct shelf *s = &m->shelves[spec - key_specs];
    if (m->stop || (m->hands_n == 0 && !start_hands(m)))
        return &fault_internal;
    s->wanted = true;
    pthread_cond_broadcast(&m->work);
    if (s->ready_n > 0) {
        secret_take(material, &s->ready[--s->ready_n]);
        return NULL;
    }
    call->state = add_order(m, call, s);
    return &call_pending;
}

const struct fault *key_maker_make(struct key_maker *m, struct call *call, const struct key_spec *spec,
                                   struct secret *material)
{
    struct order *o = call->state;
    if (!spec->type->make_slowly)
        return spec->type->make(spec, material) ? NULL : &fault_internal;
    if (!o) {
        pthread_mutex_lock(&m->lock);
        const struct fault *fault = take_or_order(m, call, spec, material);
        pthread_mutex_unlock(&m->lock);
        return fault;
    }
    if (o->material.n == 0)
        return &fault_internal;
    secret_take(material, &o->material);
    return NULL;
}

// ---- the end ----

void key_maker_stop(struct key_maker *m)
{
    struct secret none = {NULL, 0};
    pthread_mutex_lock(&m->lock);
    __atomic_store_n(&m->stop, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&m->work);
    pthread_mutex_unlock(&m->lock);
    while (m->hands_n > 0)
        pthread_join(m->hands[--m->hands_n].thread, NULL);
    while (m->first)
        finish(m, m->first, &none);
}

void key_maker_free(struct key_maker *m)
{
    if (!m)
        return;
    key_maker_stop(m);
    for (struct shelf *s = m->shelves; s < m->shelves + m->shelves_n; s++)
        while (s->ready_n > 0)
            secret_done(&s->ready[--s->ready_n]);
    free(m->shelves);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->work);
    free(m);
}
