// One event loop per thread and a mailbox into it. Built for worker.c and daemon.c.
#include "common/rpc/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct post {
    void (*fn)(void *arg);
    void *arg;
    struct post *next;
};

struct loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    bool stop;
    pthread_mutex_t lock; // guards the mailbox
    struct post *first, **last;
};

static struct post *take_posts(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct post *first = l->first;
    l->first = NULL;
    l->last = &l->first;
    pthread_mutex_unlock(&l->lock);
    return first;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct loop *l = arg;
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    for (struct post *p = take_posts(l), *next; p; p = next) {
        next = p->next;
        p->fn(p->arg);
        free(p);
    }
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->last = &l->first;
    pthread_mutex_init(&l->lock, NULL);
    struct event_config *config = event_config_new();
    // No lock: only the eventfd is touched by other threads.
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    l->base = event_base_new_with_config(config);
    event_config_free(config);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->base && l->wake_fd >= 0)
        l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    if (!l->wake || event_add(l->wake, NULL) != 0) {
        loop_free(l);
        return NULL;
    }
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    for (struct post *p = take_posts(l), *next; p; p = next) {
        next = p->next;
        free(p);
    }
    if (l->wake)
        event_free(l->wake);
    if (l->base)
        event_base_free(l->base);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct post *p = malloc(sizeof *p);
    if (!p)
        abort(); // a message between threads that is lost would leave a caller waiting for ever
    *p = (struct post){fn, arg, NULL};
    pthread_mutex_lock(&l->lock);
    *l->last = p;
    l->last = &p->next;
    pthread_mutex_unlock(&l->lock);
    uint64_t one = 1;
    while (write(l->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void loop_run(struct loop *l, void (*turn_end)(void *arg), void *arg)
{
    while (!l->stop) {
        event_base_loop(l->base, EVLOOP_ONCE);
        if (turn_end)
            turn_end(arg);
    }
}

static void set_stop(void *arg)
{
    struct loop *l = arg;
    l->stop = true;
}

void loop_stop(struct loop *l)
{
    loop_post(l, set_stop, l);
}
