// The catalogue of tables: a sorted array of snapshots under a lock. Operations read it, sse_work.c and the operations
// change it; commits are the caller's (a call's end of turn, or store_commit() in the background).
#include "ddbd/catalogue.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX (16 * 1024)

struct catalogue {
    struct store *store;
    pthread_rwlock_t lock;
    const struct table_info **v; // by account, Region, name
    size_t n, cap;
    size_t damaged; // of these; known from the start
};

struct catalogue *catalogue_new(struct store *store)
{
    struct catalogue *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->store = store;
    pthread_rwlock_init(&c->lock, NULL);
    return c;
}

void catalogue_free(struct catalogue *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        table_info_unref(c->v[i]);
    free(c->v);
    pthread_rwlock_destroy(&c->lock);
    free(c);
}

static int compare(const struct table_info *t, const char *account, const char *region, const char *name)
{
    int order = strcmp(t->account, account);
    if (!order)
        order = strcmp(t->region, region);
    return order ? order : strcmp(t->name, name);
}

// Where the name is, or would be.
static size_t position(const struct catalogue *c, const char *account, const char *region, const char *name,
                       bool *found)
{
    size_t low = 0, high = c->n;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(c->v[middle], account, region, name);
        if (!order) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool position_of(const struct catalogue *c, const struct table_info *which, size_t *at)
{
    bool found;
    *at = position(c, which->account, which->region, which->name, &found);
    return found && strcmp(c->v[*at]->id, which->id) == 0;
}

static void insert(struct catalogue *c, size_t at, const struct table_info *t)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        const struct table_info **v = realloc(c->v, cap * sizeof(*c->v));
        if (!v)
            abort();
        c->v = v;
        c->cap = cap;
    }
    memmove(c->v + at + 1, c->v + at, (c->n - at) * sizeof(*c->v));
    c->v[at] = t;
    c->n++;
}

static bool load_one(void *arg, struct span key, struct span value)
{
    struct catalogue *c = arg;
    (void)key;
    struct table_info *t = table_record_read(value);
    if (!t)
        return false;
    bool found;
    size_t at = position(c, t->account, t->region, t->name, &found);
    if (found) {
        table_info_unref(t);
        return false;
    }
    insert(c, at, t);
    return true;
}

struct load {
    struct catalogue *c;
    char bad[TABLE_ARN_SIZE];
};

static void note_bad(struct load *l, struct span key)
{
    snprintf(l->bad, sizeof l->bad, "%.*s", (int)(key.n < 400 ? key.n : 400), key.p);
}

static bool load_or_note(void *arg, struct span key, struct span value)
{
    struct load *l = arg;
    if (load_one(l->c, key, value))
        return true;
    note_bad(l, key);
    return false;
}

static bool key_part(struct span *rest, char *out, size_t size)
{
    const char *slash = memchr(rest->p, '/', rest->n);
    size_t n = slash ? (size_t)(slash - rest->p) : rest->n;
    if (!n || n >= size)
        return false;
    memcpy(out, rest->p, n);
    out[n] = '\0';
    rest->p += n + (slash != NULL);
    rest->n -= n + (slash != NULL);
    return true;
}

// What is left of the table is its name: nobody may take it, and everything else about it is an error.
static void keep_damaged(void *arg, struct span key)
{
    struct load *l = arg;
    struct table_info *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    atomic_init(&t->refs, 1);
    t->status = TABLE_UNREADABLE;
    struct span rest = key;
    bool found = true;
    size_t at = 0;
    if (key_part(&rest, t->account, sizeof t->account) && key_part(&rest, t->region, sizeof t->region) &&
        key_part(&rest, t->name, sizeof t->name) && rest.n == 0)
        at = position(l->c, t->account, t->region, t->name, &found);
    if (found) {
        table_info_unref(t);
        note_bad(l, key);
        return;
    }
    insert(l->c, at, t);
    l->c->damaged++;
}

bool catalogue_load(struct catalogue *c, char *why, size_t why_size)
{
    struct load l = {.c = c};
    if (!store_scan_damaged(c->store, CATALOGUE_TABLE, load_or_note, keep_damaged, &l, why, why_size))
        return false;
    if (!l.bad[0])
        return true;
    snprintf(why, why_size, "the catalogue's record of table %s is damaged", l.bad);
    return false;
}

static struct span record_key(const struct table_info *t, char out[TABLE_ARN_SIZE])
{
    int n = snprintf(out, TABLE_ARN_SIZE, "%s/%s/%s", t->account, t->region, t->name);
    return (struct span){out, (size_t)n};
}

static void save(struct catalogue *c, const struct table_info *t)
{
    char key[TABLE_ARN_SIZE];
    struct buf b;
    buf_init(&b, RECORD_MAX);
    if (!table_record_write(&b, t))
        abort(); // RECORD_MAX holds any record
    store_put(c->store, CATALOGUE_TABLE, record_key(t, key), buf_span(&b));
    buf_done(&b);
}

const struct table_info *catalogue_find(struct catalogue *c, const char *account, const char *region, const char *name)
{
    bool found;
    pthread_rwlock_rdlock(&c->lock);
    size_t at = position(c, account, region, name, &found);
    const struct table_info *t = found ? table_info_ref(c->v[at]) : NULL;
    pthread_rwlock_unlock(&c->lock);
    return t;
}

bool catalogue_is_damaged(struct catalogue *c, const char *account, const char *region, const char *name)
{
    if (!c->damaged)
        return false;
    const struct table_info *t = catalogue_find(c, account, region, name);
    bool damaged = t && t->status == TABLE_UNREADABLE;
    table_info_unref(t);
    return damaged;
}

bool catalogue_add(struct catalogue *c, const struct table_info *t)
{
    bool found;
    pthread_rwlock_wrlock(&c->lock);
    size_t at = position(c, t->account, t->region, t->name, &found);
    if (!found) {
        insert(c, at, table_info_ref(t));
        save(c, t);
    }
    pthread_rwlock_unlock(&c->lock);
    return !found;
}

const struct table_info *catalogue_change(struct catalogue *c, const struct table_info *which,
                                          bool (*change)(struct table_info *copy, void *arg), void *arg)
{
    size_t at;
    const struct table_info *result = NULL;
    pthread_rwlock_wrlock(&c->lock);
    if (position_of(c, which, &at)) {
        struct table_info *copy = table_info_copy(c->v[at]);
        if (change(copy, arg)) {
            table_info_unref(c->v[at]);
            c->v[at] = copy;
            save(c, copy);
            result = table_info_ref(copy);
        } else {
            table_info_unref(copy);
        }
    }
    pthread_rwlock_unlock(&c->lock);
    return result;
}

void catalogue_remove(struct catalogue *c, const struct table_info *which)
{
    size_t at;
    char key[TABLE_ARN_SIZE];
    pthread_rwlock_wrlock(&c->lock);
    if (position_of(c, which, &at)) {
        store_delete(c->store, CATALOGUE_TABLE, record_key(which, key));
        table_info_unref(c->v[at]);
        memmove(c->v + at, c->v + at + 1, (c->n - at - 1) * sizeof(*c->v));
        c->n--;
    }
    pthread_rwlock_unlock(&c->lock);
}

static bool in_scope(const struct table_info *t, const char *account, const char *region)
{
    return strcmp(t->account, account) == 0 && strcmp(t->region, region) == 0;
}

void catalogue_names(struct catalogue *c, const char *account, const char *region, const char *after,
                     bool (*each)(void *arg, const char *name), void *arg)
{
    bool found;
    pthread_rwlock_rdlock(&c->lock);
    size_t at = position(c, account, region, after ? after : "", &found);
    for (at += found; at < c->n && in_scope(c->v[at], account, region); at++)
        if (!each(arg, c->v[at]->name))
            break;
    pthread_rwlock_unlock(&c->lock);
}

static bool count_one(void *arg, const char *name)
{
    (void)name;
    ++*(size_t *)arg;
    return true;
}

size_t catalogue_count(struct catalogue *c, const char *account, const char *region)
{
    size_t n = 0;
    catalogue_names(c, account, region, NULL, count_one, &n);
    return n;
}

const struct table_info **catalogue_list(struct catalogue *c, bool (*pick)(const struct table_info *t, void *arg),
                                         void *arg, size_t *n)
{
    *n = 0;
    pthread_rwlock_rdlock(&c->lock);
    const struct table_info **list = malloc((c->n + 1) * sizeof(*list));
    if (!list)
        abort();
    for (size_t i = 0; i < c->n; i++)
        if (pick(c->v[i], arg))
            list[(*n)++] = table_info_ref(c->v[i]);
    pthread_rwlock_unlock(&c->lock);
    return list;
}

void catalogue_list_free(const struct table_info **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        table_info_unref(list[i]);
    free(list);
}

int64_t catalogue_min(struct catalogue *c, int64_t (*what)(const struct table_info *t))
{
    int64_t min = INT64_MAX;
    pthread_rwlock_rdlock(&c->lock);
    for (size_t i = 0; i < c->n; i++) {
        int64_t v = what(c->v[i]);
        if (v < min)
            min = v;
    }
    pthread_rwlock_unlock(&c->lock);
    return min;
}
