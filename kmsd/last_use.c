// One key's last use: a box that any thread may fill and read. Which keys have one is the keyring's (keyring_uses.c).
#include "kmsd/last_use.h"

#include <pthread.h>
#include <stdlib.h>

struct last_use_box {
    pthread_mutex_t lock;
    bool unsaved;
    struct last_use use;
};

// Several may find that there is none: one of their boxes stays.
static struct last_use_box *open_box(struct last_use_box **at)
{
    struct last_use_box *box = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    if (box)
        return box;
    struct last_use_box *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    pthread_mutex_init(&made->lock, NULL);
    if (__atomic_compare_exchange_n(at, &box, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    pthread_mutex_destroy(&made->lock);
    free(made);
    return box;
}

bool last_use_set(struct last_use_box **at, const struct last_use *use)
{
    struct last_use_box *box = open_box(at);
    pthread_mutex_lock(&box->lock);
    bool first = !box->unsaved;
    box->unsaved = true;
    box->use = *use;
    pthread_mutex_unlock(&box->lock);
    return first;
}

static bool is_before(const struct last_use *a, const struct last_use *b)
{
    return a->run != b->run ? a->run < b->run : a->time_ns < b->time_ns;
}

void last_use_restore(struct last_use_box **at, const struct last_use *use, bool saved)
{
    struct last_use_box *box = open_box(at);
    pthread_mutex_lock(&box->lock);
    if (!box->use.operation[0] || !is_before(use, &box->use)) {
        box->use = *use;
        box->unsaved = !saved;
    }
    pthread_mutex_unlock(&box->lock);
}

bool last_use_get(struct last_use_box *const *at, struct last_use *out)
{
    struct last_use_box *box = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    if (!box)
        return false;
    pthread_mutex_lock(&box->lock);
    *out = box->use;
    pthread_mutex_unlock(&box->lock);
    return out->operation[0] != '\0';
}

bool last_use_take_unsaved(struct last_use_box **at, struct last_use *out)
{
    struct last_use_box *box = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    if (!box)
        return false;
    pthread_mutex_lock(&box->lock);
    bool unsaved = box->unsaved;
    *out = box->use;
    box->unsaved = false;
    pthread_mutex_unlock(&box->lock);
    return unsaved;
}

void last_use_free(struct last_use_box **at)
{
    if (!*at)
        return;
    pthread_mutex_destroy(&(*at)->lock);
    free(*at);
    *at = NULL;
}
