// The store's list of changes: who waits, who holds back, who commits for all. What a commit does is the backend's
// (store_sqlite.c).
#include "common/store/store_queue.h"

#include <stdlib.h>
#include <string.h>

static void clear(struct store_change_list *l)
{
    *l = (struct store_change_list){.last = &l->first};
}

static void append(struct store_change_list *l, struct store_change *c)
{
    *l->last = c;
    l->last = &c->next;
    l->n++;
}

// from is empty afterwards.
static void move_all(struct store_change_list *to, struct store_change_list *from)
{
    if (from->first) {
        *to->last = from->first;
        to->last = from->last;
        to->n += from->n;
    }
    clear(from);
}

static void free_list(struct store_change_list *l)
{
    for (struct store_change *c = l->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    clear(l);
}

void store_queue_init(struct store_queue *q)
{
    *q = (struct store_queue){0};
    clear(&q->pending);
    clear(&q->held);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->committed, NULL);
    pthread_cond_init(&q->released, NULL);
}

void store_queue_done(struct store_queue *q)
{
    free_list(&q->pending);
    free_list(&q->held);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->committed);
    pthread_cond_destroy(&q->released);
}

void store_queue_add(struct store_queue *q, size_t table, struct span key, struct span value, bool removed)
{
    struct store_change *c = malloc(sizeof *c + key.n + value.n);
    if (!c)
        abort();
    *c = (struct store_change){.table = table, .key_n = key.n, .value_n = value.n, .removed = removed};
    if (key.n)
        memcpy(c->bytes, key.p, key.n);
    if (value.n)
        memcpy(c->bytes + key.n, value.p, value.n);
    pthread_mutex_lock(&q->lock);
    if (q->holding && pthread_equal(q->holder, pthread_self())) {
        append(&q->held, c);
    } else {
        append(&q->pending, c);
        q->queued++;
    }
    pthread_mutex_unlock(&q->lock);
}

bool store_queue_dirty(struct store_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool dirty = q->pending.first != NULL;
    pthread_mutex_unlock(&q->lock);
    return dirty;
}

// ---- holding back ----

void store_queue_hold(struct store_queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->holding)
        pthread_cond_wait(&q->released, &q->lock);
    q->holding = true;
    q->holder = pthread_self();
    pthread_mutex_unlock(&q->lock);
}

static void publish(struct store_queue *q)
{
    q->queued += q->held.n;
    move_all(&q->pending, &q->held);
}

void store_queue_publish(struct store_queue *q)
{
    pthread_mutex_lock(&q->lock);
    publish(q);
    pthread_mutex_unlock(&q->lock);
}

void store_queue_release(struct store_queue *q)
{
    pthread_mutex_lock(&q->lock);
    publish(q);
    q->holding = false;
    pthread_cond_signal(&q->released);
    pthread_mutex_unlock(&q->lock);
}

// ---- committing ----

// Under the lock, which is let go while the disk works.
static bool commit_pending(struct store_queue *q, bool (*transact)(void *arg, const struct store_change *changes),
                           void *arg)
{
    struct store_change_list taken;
    uint64_t upto = q->queued;
    clear(&taken);
    move_all(&taken, &q->pending);
    q->committing = true;
    pthread_mutex_unlock(&q->lock);
    bool ok = transact(arg, taken.first);
    if (ok)
        free_list(&taken);
    pthread_mutex_lock(&q->lock);
    q->committing = false;
    if (ok) {
        q->durable = upto;
    } else {
        move_all(&taken, &q->pending);
        move_all(&q->pending, &taken);
    }
    pthread_cond_broadcast(&q->committed);
    return ok;
}

bool store_queue_commit(struct store_queue *q, bool (*transact)(void *arg, const struct store_change *changes),
                        void *arg)
{
    bool ok = true;
    pthread_mutex_lock(&q->lock);
    uint64_t mine = q->queued;
    while (ok && q->durable < mine) {
        if (q->committing)
            pthread_cond_wait(&q->committed, &q->lock);
        else
            ok = commit_pending(q, transact, arg);
    }
    pthread_mutex_unlock(&q->lock);
    return ok;
}
