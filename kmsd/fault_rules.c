// Which fault meets a call. The rules are shared under a mutex that no call takes while there are none; calls that are
// delayed belong to their worker, whose loop has their timers.
#include "kmsd/fault_rules.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ids.h"
#include "common/rpc/worker.h"
#include "kmsd/arn.h"
#include "kmsd/kmsd.h"

// One worker's.
struct delayed {
    struct delayed *next;
    struct delayed **list;
    struct call *call;
    struct event *timer;
};

struct fault_rules {
    struct kmsd *kmsd;
    pthread_mutex_t mutex;
    struct fault_rule *rules; // oldest first
    size_t n;
    int64_t last_id;
    struct delayed *delayed[]; // by worker
};

struct fault_rules *fault_rules_new(struct daemon *d)
{
    struct fault_rules *f = calloc(1, sizeof *f + d->workers_n * sizeof f->delayed[0]);
    if (!f)
        abort();
    f->kmsd = d->ext;
    pthread_mutex_init(&f->mutex, NULL);
    return f;
}

void fault_rule_done(struct fault_rule *rule)
{
    free(rule->operation);
    free(rule->key);
    free(rule->principal);
    free(rule->message);
}

void fault_rules_free(struct fault_rules *f)
{
    if (!f)
        return;
    fault_rules_clear(f, 0);
    pthread_mutex_destroy(&f->mutex);
    free(f->rules);
    free(f);
}

static void note_whether_any(struct fault_rules *f)
{
    __atomic_store_n(&f->kmsd->faults_set, f->n > 0, __ATOMIC_RELEASE);
}

int64_t fault_rules_add(struct fault_rules *f, struct fault_rule *rule)
{
    pthread_mutex_lock(&f->mutex);
    f->rules = realloc(f->rules, (f->n + 1) * sizeof *f->rules);
    if (!f->rules)
        abort();
    rule->id = ++f->last_id;
    f->rules[f->n++] = *rule;
    note_whether_any(f);
    int64_t id = rule->id;
    pthread_mutex_unlock(&f->mutex);
    return id;
}

static void remove_at(struct fault_rules *f, size_t i)
{
    fault_rule_done(&f->rules[i]);
    memmove(f->rules + i, f->rules + i + 1, (f->n - i - 1) * sizeof *f->rules);
    f->n--;
}

size_t fault_rules_clear(struct fault_rules *f, int64_t id)
{
    size_t cleared = 0;
    if (!f)
        return 0;
    pthread_mutex_lock(&f->mutex);
    for (size_t i = f->n; i > 0; i--) {
        if (id != 0 && f->rules[i - 1].id != id)
            continue;
        remove_at(f, i - 1);
        cleared++;
    }
    note_whether_any(f);
    pthread_mutex_unlock(&f->mutex);
    return cleared;
}

static void write_rule(const struct fault_rule *r, struct json_write *w)
{
    char number[40];
    json_obj_begin(w);
    json_ki64(w, "id", r->id);
    json_kcstr(w, "operation", r->operation);
    json_kcstr(w, "key", r->key);
    json_kcstr(w, "principal", r->principal);
    if (r->counted)
        json_ki64(w, "count", r->left);
    snprintf(number, sizeof number, "%.15g", r->percent);
    json_key(w, "percent");
    json_raw(w, span_of(number));
    if (r->error)
        json_kcstr(w, "error", r->error->code);
    json_kcstr(w, "message", r->message);
    if (r->delay_ns > 0) {
        snprintf(number, sizeof number, "%.15g", (double)r->delay_ns / (double)NS_PER_S);
        json_key(w, "delay");
        json_raw(w, span_of(number));
    }
    if (r->cut)
        json_kbool(w, "cut", true);
    json_ki64(w, "hits", r->hits);
    json_obj_end(w);
}

void fault_rules_write(struct fault_rules *f, struct json_write *w)
{
    pthread_mutex_lock(&f->mutex);
    json_arr_begin(w);
    for (size_t i = 0; i < f->n; i++)
        write_rule(&f->rules[i], w);
    json_arr_end(w);
    pthread_mutex_unlock(&f->mutex);
}

// ---- which calls ----

// An alias stands for the key that it names now, in the Region and account of the call.
static bool alias_is(struct call *call, const char *text, const char *resource)
{
    char arn[KMS_ARN_SIZE];
    const char *alias = strstr(text, ":alias/") ? text : arn;
    if (alias == arn && !arn_write(arn, span_of(call->region), call->account, span_of(text)))
        return false;
    const struct alias *a = keyring_alias(kmsd_of(call)->keyring, span_of(alias));
    return strcmp(resource, alias) == 0 || (a && strcmp(resource, a->key->arn) == 0);
}

static bool resource_is(struct call *call, const char *text, const char *resource)
{
    if (strncmp(text, "alias/", 6) == 0 || strstr(text, ":alias/"))
        return alias_is(call, text, resource);
    if (strncmp(text, "arn:", 4) == 0)
        return strcmp(resource, text) == 0;
    const char *id = strstr(resource, ":key/");
    return id && strcmp(id + 5, text) == 0;
}

static bool key_meets(struct call *call, const char *text)
{
    for (size_t i = 0; i < call->resources_n; i++)
        if (resource_is(call, text, call->resources[i].arn))
            return true;
    return false;
}

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static bool principal_meets(const struct call *call, const char *text)
{
    const struct principal *p = call->caller.principal;
    return is(p->arn, text) || is(p->role_arn, text) || is(call->caller.service_principal, text);
}

static bool meets(struct call *call, const struct fault_rule *r)
{
    uint32_t chance;
    if (r->operation && strcmp(r->operation, call->op_name) != 0)
        return false;
    if (r->principal && !principal_meets(call, r->principal))
        return false;
    if (r->key && !key_meets(call, r->key))
        return false;
    if (r->percent >= 100)
        return true;
    rng_id(call->daemon->rng, &chance, sizeof chance);
    return (double)chance / 4294967296.0 * 100 < r->percent;
}

// The effect of the first rule that meets the call, its message in the call's arena. False: none does.
static bool choose(struct fault_rules *f, struct call *call, struct fault_rule *effect)
{
    bool met = false;
    pthread_mutex_lock(&f->mutex);
    for (size_t i = 0; i < f->n && !met; i++) {
        struct fault_rule *r = &f->rules[i];
        if (!meets(call, r))
            continue;
        met = true;
        r->hits++;
        *effect = *r;
        effect->message = r->message ? arena_strdup(&call->arena, r->message) : NULL;
        if (r->counted && --r->left == 0)
            remove_at(f, i);
    }
    note_whether_any(f);
    pthread_mutex_unlock(&f->mutex);
    return met;
}

// ---- what becomes of them ----

static void go_on(struct delayed *d)
{
    struct delayed **at = d->list;
    struct call *call = d->call;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    event_free(d->timer);
    free(d);
    call_restart(call);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    go_on(arg);
}

// On the real clock, whatever the daemon's shows: it is the client that is made to wait. What the call's resolver left
// is made anew afterwards.
static const struct fault *delay(struct fault_rules *f, struct call *call, int64_t ns)
{
    struct delayed *d = calloc(1, sizeof *d);
    struct timeval t = {ns / NS_PER_S, ns % NS_PER_S / 1000};
    if (!d)
        abort();
    call->service->release(call);
    call->state = NULL;
    d->list = &f->delayed[call->worker->index];
    d->call = call;
    d->timer = event_new(loop_base(call->worker->loop), -1, 0, on_timer, d);
    if (!d->timer)
        abort();
    event_add(d->timer, &t);
    d->next = *d->list;
    *d->list = d;
    return &call_pending;
}

const struct fault *fault_rules_tamper(struct call *call)
{
    struct kmsd *kmsd = kmsd_of(call);
    struct fault_rule effect;
    if (!__atomic_load_n(&kmsd->faults_set, __ATOMIC_ACQUIRE) || !choose(kmsd->faults, call, &effect))
        return NULL;
    if (effect.delay_ns > 0)
        return delay(kmsd->faults, call, effect.delay_ns);
    call->lose_reply = effect.cut;
    if (effect.error)
        call->detail = effect.message;
    return effect.error;
}

void fault_rules_finish(struct worker *w)
{
    struct fault_rules *f = ((struct kmsd *)w->daemon->ext)->faults;
    while (f && f->delayed[w->index])
        go_on(f->delayed[w->index]);
}
