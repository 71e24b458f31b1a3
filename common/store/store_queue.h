// Changes that wait for the store's next commit, in the order in which they came. The first caller of a commit takes
// all that are there into one transaction while later ones wait for it. Used by the store alone. Thread-safe.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

struct store_change {
    struct store_change *next;
    size_t table;
    size_t key_n, value_n;
    bool removed;
    char bytes[]; // key, value
};

struct store_change_list {
    struct store_change *first, **last;
    uint64_t n;
};

struct store_queue {
    pthread_mutex_t lock;
    pthread_cond_t committed, released;
    struct store_change_list pending;
    uint64_t queued, durable; // changes ever pending, and how many of them are durable
    bool committing;
    bool holding; // changes of the thread `holder` are held back
    pthread_t holder;
    struct store_change_list held;
};

void store_queue_init(struct store_queue *q);
void store_queue_done(struct store_queue *q); // what is still there is lost
// The bytes are copied. Aborts when memory is gone: the change is already made in memory, and going on would part it
// from the disk.
void store_queue_add(struct store_queue *q, size_t table, struct span key, struct span value, bool removed);
bool store_queue_dirty(struct store_queue *q);
// As store_hold(), store_release(), store_publish().
void store_queue_hold(struct store_queue *q);
void store_queue_release(struct store_queue *q);
void store_queue_publish(struct store_queue *q);

// Makes durable what was pending when this was called, by transact(), which applies all of a list or nothing and is
// called by one thread at a time, without the lock. False: it failed; what it was given is pending again, before what
// came since.
MUST_CHECK bool store_queue_commit(struct store_queue *q,
                                   bool (*transact)(void *arg, const struct store_change *changes), void *arg);
