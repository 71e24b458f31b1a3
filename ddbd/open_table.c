// The registry of open table files. table_access.c opens through it (behind the key cache), sse_work.c creates and
// removes files. SQLite and encryption are table.c's and page_vfs.c's.
#include "ddbd/open_table.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct open_table {
    struct open_tables *home;
    struct open_table *next;
    const struct table_info *which; // counted
    unsigned users;                 // guarded by home->lock
    pthread_mutex_t lock;           // opening and closing, one at a time
    struct table *file;             // NULL: not open
};

struct open_tables {
    char *dir;
    struct page_vfs_options options;
    void (*closed)(void *arg, const struct table_info *which, struct table_stats stats);
    void *arg;
    pthread_mutex_t lock;
    struct open_table *first;
};

struct open_tables *open_tables_new(const char *dir, const struct page_vfs_options *options,
                                    void (*closed)(void *arg, const struct table_info *which, struct table_stats stats),
                                    void *arg)
{
    struct open_tables *o = calloc(1, sizeof *o);
    if (!o || !(o->dir = strdup(dir)))
        abort();
    o->options = *options;
    o->closed = closed;
    o->arg = arg;
    pthread_mutex_init(&o->lock, NULL);
    return o;
}

void open_tables_free(struct open_tables *o)
{
    if (!o)
        return;
    pthread_mutex_destroy(&o->lock);
    free(o->dir);
    free(o);
}

void open_tables_path(const struct open_tables *o, const char *table_id, char *out, size_t size)
{
    snprintf(out, size, "%s/%s.db", o->dir, table_id);
}

static struct open_table *find(struct open_tables *o, const char *table_id)
{
    struct open_table *t = o->first;
    while (t && strcmp(t->which->id, table_id) != 0)
        t = t->next;
    return t;
}

static struct open_table *hold(struct open_tables *o, const struct table_info *which)
{
    pthread_mutex_lock(&o->lock);
    struct open_table *t = find(o, which->id);
    if (!t) {
        t = calloc(1, sizeof *t);
        if (!t)
            abort();
        t->home = o;
        t->which = table_info_ref(which);
        pthread_mutex_init(&t->lock, NULL);
        t->next = o->first;
        o->first = t;
    }
    t->users++;
    pthread_mutex_unlock(&o->lock);
    return t;
}

static bool is_last(struct open_table *t)
{
    pthread_mutex_lock(&t->home->lock);
    bool last = t->users == 1;
    pthread_mutex_unlock(&t->home->lock);
    return last;
}

// Leaves; true when the entry is out of the list and the caller's to free.
static bool leave(struct open_table *t)
{
    struct open_tables *o = t->home;
    pthread_mutex_lock(&o->lock);
    bool gone = --t->users == 0;
    if (gone) {
        struct open_table **at = &o->first;
        while (*at != t)
            at = &(*at)->next;
        *at = t->next;
    }
    pthread_mutex_unlock(&o->lock);
    return gone;
}

static void close_file(struct open_table *t)
{
    struct table_stats stats = table_stats(t->file);
    table_close(t->file);
    t->file = NULL;
    if (t->home->closed)
        t->home->closed(t->home->arg, t->which, stats);
}

// The entry stays in the list while its file is closed, so that whoever opens the table meanwhile waits for that.
void open_table_release(struct open_table *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    if (t->file && is_last(t))
        close_file(t);
    bool gone = leave(t);
    pthread_mutex_unlock(&t->lock);
    if (!gone)
        return;
    pthread_mutex_destroy(&t->lock);
    table_info_unref(t->which);
    free(t);
}

enum table_result open_table_acquire(struct open_tables *o, const struct table_info *which,
                                     const unsigned char dek[TABLE_KEY_SIZE], struct open_table **out)
{
    char path[4096];
    open_tables_path(o, which->id, path, sizeof path);
    struct open_table *t = hold(o, which);
    pthread_mutex_lock(&t->lock);
    enum table_result result = t->file ? TABLE_OK : table_open(path, dek, &o->options, &t->file);
    pthread_mutex_unlock(&t->lock);
    if (result == TABLE_OK)
        *out = t;
    else
        open_table_release(t);
    return result;
}

struct table *open_table_file(const struct open_table *t)
{
    return t->file;
}

bool open_table_stats(struct open_tables *o, const char *table_id, struct table_stats *stats)
{
    pthread_mutex_lock(&o->lock);
    struct open_table *t = find(o, table_id);
    if (t)
        t->users++;
    pthread_mutex_unlock(&o->lock);
    if (!t)
        return false;
    pthread_mutex_lock(&t->lock);
    bool open = t->file != NULL;
    if (open)
        *stats = table_stats(t->file);
    pthread_mutex_unlock(&t->lock);
    open_table_release(t);
    return open;
}

enum table_result open_tables_create(struct open_tables *o, const char *table_id,
                                     const unsigned char dek[TABLE_KEY_SIZE])
{
    char path[4096];
    open_tables_path(o, table_id, path, sizeof path);
    table_remove(path);
    return table_create(path, dek, &o->options);
}

bool open_tables_remove(struct open_tables *o, const struct table_info *which)
{
    char path[4096];
    open_tables_path(o, which->id, path, sizeof path);
    struct open_table *t = hold(o, which); // nobody opens it meanwhile
    pthread_mutex_lock(&t->lock);
    bool removed = !t->file && table_remove(path);
    pthread_mutex_unlock(&t->lock);
    open_table_release(t);
    return removed;
}
