// The table of access keys: a sorted snapshot that SIGHUP replaces, the services' own credential, and the
// strangers that --auth=open lets in. Called by sigv4_verify() and by rpc for calls on behalf of users.
#include "common/auth/credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/auth/principals_file.h"
#include "common/auth/service_file.h"
#include "common/base/fnv.h"
#include "common/base/ids.h"

// Strangers remembered; the slot is found by a hash, a newcomer takes it over.
#define STRANGERS 10000

struct credentials {
    struct credentials_options options;
    char *principals_path, *service_path;
    char account[13];
    pthread_rwlock_t lock; // guards list and service
    struct principal_list list;
    struct principal_owned *service;
    pthread_mutex_t strangers_lock;
    struct principal_owned **strangers;
};

static int by_key(const void *a, const void *b)
{
    const struct principal_owned *const *x = a, *const *y = b;
    return strcmp((*x)->p.access_key_id, (*y)->p.access_key_id);
}

static struct principal_owned *search(const struct principal_list *list, struct span key)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_cmp(key, span_of(list->v[middle]->p.access_key_id));
        if (order == 0)
            return list->v[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool read_all(const struct credentials *c, struct principal_list *list, struct principal_owned **service,
                     char *why, size_t why_size)
{
    if (c->principals_path && !principals_read(c->principals_path, c->options.started_ns, list, why, why_size))
        return false;
    if (c->service_path) {
        *service = service_file_read(c->service_path, why, why_size);
        if (!*service)
            return false;
    }
    if (list->n)
        qsort(list->v, list->n, sizeof list->v[0], by_key);
    if (!*service || !search(list, span_of((*service)->p.access_key_id)))
        return true;
    snprintf(why, why_size, "%s: the access key %s is that of %s", c->principals_path, (*service)->p.access_key_id,
             c->service_path);
    return false;
}

struct credentials *credentials_new(const struct credentials_options *o, char *why, size_t why_size)
{
    struct credentials *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->options = *o;
    snprintf(c->account, sizeof c->account, "%s", o->default_account);
    c->principals_path = o->principals_path ? strdup(o->principals_path) : NULL;
    c->service_path = o->service_path ? strdup(o->service_path) : NULL;
    pthread_rwlock_init(&c->lock, NULL);
    pthread_mutex_init(&c->strangers_lock, NULL);
    c->strangers = calloc(STRANGERS, sizeof *c->strangers);
    if (!c->strangers)
        abort();
    if (read_all(c, &c->list, &c->service, why, why_size))
        return c;
    credentials_free(c);
    return NULL;
}

static void forget_strangers(struct credentials *c)
{
    pthread_mutex_lock(&c->strangers_lock);
    for (size_t i = 0; i < STRANGERS; i++) {
        if (c->strangers[i])
            principal_unref(&c->strangers[i]->p);
        c->strangers[i] = NULL;
    }
    pthread_mutex_unlock(&c->strangers_lock);
}

void credentials_free(struct credentials *c)
{
    if (!c)
        return;
    principal_list_done(&c->list);
    if (c->service)
        principal_unref(&c->service->p);
    forget_strangers(c);
    free(c->strangers);
    pthread_rwlock_destroy(&c->lock);
    pthread_mutex_destroy(&c->strangers_lock);
    free(c->principals_path);
    free(c->service_path);
    free(c);
}

bool credentials_reload(struct credentials *c, char *why, size_t why_size)
{
    struct principal_list list = {0};
    struct principal_owned *service = NULL;
    if (!read_all(c, &list, &service, why, why_size)) {
        principal_list_done(&list);
        if (service)
            principal_unref(&service->p);
        return false;
    }
    pthread_rwlock_wrlock(&c->lock);
    struct principal_list old = c->list;
    struct principal_owned *old_service = c->service;
    c->list = list;
    c->service = service;
    pthread_rwlock_unlock(&c->lock);
    principal_list_done(&old);
    if (old_service)
        principal_unref(&old_service->p);
    return true;
}

static bool give(struct principal_owned *o, struct credential *out)
{
    *out = (struct credential){
        .principal = principal_ref(&o->p),
        .secret = secret_span(&o->secret),
        .secret_id = o->secret_id,
        .token = o->token,
        .verify = o->verify,
    };
    return true;
}

// Whatever people set as a fake key, but nothing that a log could not show.
static bool is_key_id(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= 128;
}

// Twelve digits: the root of that account, as users of other local clouds expect. Any other: `local`.
static struct principal_owned *make_stranger(const struct credentials *c, struct span key)
{
    char account[13];
    snprintf(account, sizeof account, "%.12s", c->account);
    bool root = id_is_account(key);
    if (root)
        memcpy(account, key.p, 12);
    struct principal_owned *o = principal_new(root ? PRINCIPAL_ROOT : PRINCIPAL_USER, account);
    struct arena *a = &o->texts;
    o->verify = false;
    o->p.full_rights = true;
    o->p.access_key_id = arena_strndup(a, key.p, key.n);
    if (root) {
        o->p.arn = arena_printf(a, "arn:aws:iam::%s:root", account);
        o->p.principal_id = arena_strdup(a, account);
        return o;
    }
    char id[22];
    o->p.arn = arena_printf(a, "arn:aws:iam::%s:user/local", account);
    id_principal("AIDA", o->p.arn, id);
    o->p.principal_id = arena_strdup(a, id);
    o->p.name = arena_strdup(a, "local");
    return o;
}

static size_t slot_of(struct span key)
{
    return (size_t)(fnv_span(FNV_START, key) % STRANGERS);
}

static bool find_stranger(struct credentials *c, struct span key, struct credential *out)
{
    if (!is_key_id(key))
        return false;
    size_t slot = slot_of(key);
    pthread_mutex_lock(&c->strangers_lock);
    struct principal_owned *o = c->strangers[slot];
    if (!o || !span_is(key, o->p.access_key_id)) {
        if (o)
            principal_unref(&o->p);
        o = c->strangers[slot] = make_stranger(c, key);
    }
    give(o, out);
    pthread_mutex_unlock(&c->strangers_lock);
    return true;
}

bool credentials_find(struct credentials *c, struct span access_key_id, struct credential *out)
{
    pthread_rwlock_rdlock(&c->lock);
    struct principal_owned *o = search(&c->list, access_key_id);
    if (!o && c->service && span_is(access_key_id, c->service->p.access_key_id))
        o = c->service;
    bool found = o && give(o, out);
    pthread_rwlock_unlock(&c->lock);
    return found || (c->options.mode == AUTH_OPEN && find_stranger(c, access_key_id, out));
}

bool credentials_service(struct credentials *c, struct credential *out)
{
    pthread_rwlock_rdlock(&c->lock);
    bool found = c->service && give(c->service, out);
    pthread_rwlock_unlock(&c->lock);
    return found;
}
