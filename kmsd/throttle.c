// Which quotas a call counts against, and their token buckets. The buckets are shared by all workers under one mutex:
// only daemons that throttle have it.
#include "kmsd/throttle.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "kmsd/faults.h"
#include "kmsd/hash.h"
#include "kmsd/key.h"
#include "kmsd/op_data_key_pair.h"
#include "kmsd/op_multi_region.h"
#include "kmsd/throttle_quotas.h"

#define CHARGES_MAX 6
#define PLACE_SIZE 160

struct figure {
    char *name;
    double rate;
};

struct place {
    char name[PLACE_SIZE]; // "<quota>/<account>/<Region>" or "<quota>/<custom key store>"
    struct throttle_bucket bucket;
    UT_hash_handle hh;
};

struct throttle {
    bool aws;
    struct figure *figures; // those that were given
    size_t n;
    pthread_mutex_t lock;
    struct place *places;
};

// ---- what was asked for ----

static bool set_figure(struct throttle *t, struct span name, double rate)
{
    char *copy = strndup(name.p, name.n);
    if (!copy)
        abort();
    if (!op_find(&kms_service, name) && throttle_quota(copy, "") == 0) {
        free(copy);
        return false;
    }
    t->figures = realloc(t->figures, (t->n + 1) * sizeof *t->figures);
    if (!t->figures)
        abort();
    t->figures[t->n++] = (struct figure){copy, rate};
    return true;
}

static bool read_item(struct throttle *t, struct span item, char *why, size_t why_size)
{
    char number[32] = "", *end = number;
    const char *equals = memchr(item.p, '=', item.n);
    if (span_is(item, "aws"))
        return t->aws = true;
    size_t digits = equals ? (size_t)(item.p + item.n - equals - 1) : 0;
    if (digits > 0 && digits < sizeof number)
        memcpy(number, equals + 1, digits);
    double rate = strtod(number, &end);
    if (end == number || *end || !isfinite(rate) || rate <= 0)
        snprintf(why, why_size, "--throttle: '%.*s' is neither aws nor NAME=CALLS_PER_SECOND", (int)item.n, item.p);
    else if (!set_figure(t, (struct span){item.p, (size_t)(equals - item.p)}, rate))
        snprintf(why, why_size, "--throttle: '%.*s' names neither an operation nor a quota of KMS", (int)item.n,
                 item.p);
    else
        return true;
    return false;
}

struct throttle *throttle_new(const char *text, char *why, size_t why_size)
{
    struct throttle *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    pthread_mutex_init(&t->lock, NULL);
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        if (!read_item(t, (struct span){at, n}, why, why_size)) {
            throttle_free(t);
            return NULL;
        }
        at += n;
        if (!*at)
            return t;
    }
}

void throttle_free(struct throttle *t)
{
    struct place *p, *next;
    if (!t)
        return;
    HASH_ITER(hh, t->places, p, next)
    {
        HASH_DEL(t->places, p);
        free(p);
    }
    for (size_t i = 0; i < t->n; i++)
        free(t->figures[i].name);
    free(t->figures);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

// Infinite: there is no quota.
static double rate_of(const struct throttle *t, const char *name, const char *region)
{
    for (size_t i = t->n; i > 0; i--)
        if (strcmp(t->figures[i - 1].name, name) == 0)
            return t->figures[i - 1].rate;
    double rate = t->aws ? throttle_quota(name, region) : 0;
    return rate > 0 ? rate : INFINITY;
}

// ---- what a call counts against ----

struct charge {
    const char *quota, *region;
    const char *key_store; // instead of account and Region; NULL: those
    double n;
};

struct charges {
    struct charge v[CHARGES_MAX];
    size_t n;
};

static void add(struct charges *c, const char *quota, const char *region, const char *key_store, double n)
{
    for (size_t i = 0; i < c->n; i++) // both keys of a ReEncrypt are one call
        if (strcmp(c->v[i].quota, quota) == 0 && strcmp(c->v[i].region, region) == 0 && !key_store)
            return;
    c->v[c->n++] = (struct charge){quota, region, key_store, n};
}

static void add_key(struct charges *c, const struct call *call, const struct key *key)
{
    if (!key)
        return;
    add(c, throttle_family(key->spec), call->region, NULL, 1);
    if (key->key_store_id)
        add(c, QUOTA_KEY_STORE, call->region, key->key_store_id, 1);
}

static void add_pair(struct charges *c, struct call *call)
{
    const struct data_key_pair_params *p = call->params;
    add(c, arena_printf(&call->arena, QUOTA_KEY_PAIR "%s", p->spec->name), call->region, NULL, 1);
}

// Cryptographic operations share quotas by the kind of their key; those that reach into another Region count there.
static void find_charges(struct call *call, struct charges *c)
{
    const struct op *op = call->op;
    const struct kms_op *ext = op->ext;
    add(c, op->name, call->region, NULL, 1);
    if (op->invoke == generate_data_key_pair || op->invoke == generate_data_key_pair_without_plaintext) {
        add_pair(c, call);
    } else if (ext->use) {
        add_key(c, call, call->subject);
        if (strcmp(op->name, "ReEncrypt") == 0)
            add_key(c, call, call->subject2);
    } else if (strcmp(op->name, "GenerateRandom") == 0) {
        add(c, QUOTA_SYMMETRIC, call->region, NULL, 1);
    } else if (op->invoke == replicate_key) {
        const struct replicate_params *p = call->params;
        add(c, "CreateKey", arena_strndup(&call->arena, p->region.p, p->region.n), NULL, 2);
    } else if (op->invoke == update_primary_region) {
        const struct primary_region_params *p = call->params;
        add(c, op->name, arena_strndup(&call->arena, p->region.p, p->region.n), NULL, 1);
    }
}

// ---- buckets ----

static double capacity(double rate)
{
    return rate > 1 ? rate : 1;
}

bool throttle_bucket_has(struct throttle_bucket *b, double rate, double n, int64_t now_ns)
{
    double most = capacity(rate), gained = (double)(now_ns - b->at_ns) / (double)NS_PER_S * rate;
    if (b->at_ns == 0 || b->tokens + gained >= most) {
        b->tokens = most;
        b->at_ns = now_ns;
    } else if (gained > 0) {
        b->tokens += gained;
        b->at_ns = now_ns;
    }
    return b->tokens >= n;
}

static struct throttle_bucket *bucket_of(struct throttle *t, const struct call *call, const struct charge *c)
{
    char name[PLACE_SIZE];
    struct place *p;
    if (c->key_store)
        snprintf(name, sizeof name, "%s/%s", c->quota, c->key_store);
    else
        snprintf(name, sizeof name, "%s/%s/%s", c->quota, call->account, c->region);
    HASH_FIND_STR(t->places, name, p);
    if (p)
        return &p->bucket;
    p = calloc(1, sizeof *p);
    if (!p)
        abort();
    memcpy(p->name, name, sizeof name);
    HASH_ADD_STR(t->places, name, p);
    return &p->bucket;
}

const struct fault *throttle_call(struct throttle *t, struct call *call, int64_t now_ns)
{
    struct charges c = {.n = 0};
    struct throttle_bucket *buckets[CHARGES_MAX];
    bool ok = true;
    find_charges(call, &c);
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < c.n; i++) {
        double rate = rate_of(t, c.v[i].quota, c.v[i].region);
        buckets[i] = isfinite(rate) ? bucket_of(t, call, &c.v[i]) : NULL;
        if (c.v[i].n > capacity(rate))
            c.v[i].n = capacity(rate);
        ok = ok && (!buckets[i] || throttle_bucket_has(buckets[i], rate, c.v[i].n, now_ns));
    }
    for (size_t i = 0; ok && i < c.n; i++)
        if (buckets[i])
            buckets[i]->tokens -= c.v[i].n;
    pthread_mutex_unlock(&t->lock);
    return ok ? NULL : &fault_throttling;
}
