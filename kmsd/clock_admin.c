// The clock's endpoints. What belongs to one worker (held exchanges, their timers) is touched in its thread only; who
// follows, and how far, is shared under a mutex. A change wakes all workers by loop_post() and lets the main thread run
// the jobs that became due.
#include "kmsd/clock_admin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/time_format.h"
#include "common/rpc/worker.h"
#include "kmsd/kmsd.h"

#define POLL_S 20          // a held GET is answered after this at the latest
#define FOLLOWERS_WAIT_S 2 // and a POST after this, whatever the followers do
#define FOLLOWER_GONE_NS (INT64_C(5) * NS_PER_S)
#define FOLLOWERS_MAX 32
#define NAME_SIZE 64

struct follower {
    char name[NAME_SIZE]; // empty: unused
    uint64_t generation;  // it has taken this one over
    int64_t seen_ns;      // monotonic
    bool here;            // its request is being held
};

// A GET that waits for a change, or a POST that waits for jobs and followers.
struct held {
    struct desk *desk;
    struct http_exchange *x;
    struct event *timer;
    uint64_t generation; // GET: the one the client has; POST: the one followers must reach
    char follower[NAME_SIZE];
    bool is_post, jobs_done, timed_out;
    struct held *next;
};

// One worker's.
struct desk {
    struct clock_hub *hub;
    struct worker *worker;
    struct held *held;
};

struct clock_hub {
    struct daemon *daemon;
    pthread_mutex_t mutex; // of the followers
    struct follower followers[FOLLOWERS_MAX];
    size_t desks_n;
    struct desk desks[];
};

struct clock_hub *clock_hub_new(struct daemon *d)
{
    struct clock_hub *h = calloc(1, sizeof *h + d->workers_n * sizeof h->desks[0]);
    if (!h)
        abort();
    h->daemon = d;
    pthread_mutex_init(&h->mutex, NULL);
    h->desks_n = d->workers_n;
    for (size_t i = 0; i < h->desks_n; i++)
        h->desks[i] = (struct desk){.hub = h, .worker = d->workers[i]};
    return h;
}

static struct desk *desk_of(struct worker *w)
{
    struct kmsd *kmsd = w->daemon->ext;
    return &kmsd->clock->desks[w->index];
}

static void write_state(struct json_write *w, const struct clock_state *s)
{
    char now[TIME_ISO_SIZE], scale[32];
    time_iso(s->now_ns, now);
    snprintf(scale, sizeof scale, "%.15g", s->scale);
    json_obj_begin(w);
    json_kbool(w, "virtual", s->is_virtual);
    json_kcstr(w, "now", now);
    json_ki64(w, "nowNs", s->now_ns);
    json_key(w, "scale");
    json_raw(w, span_of(scale));
    json_ki64(w, "generation", (int64_t)s->generation);
    json_obj_end(w);
}

static void reply_state(struct worker *w, struct http_exchange *x)
{
    struct clock_state s = clock_state(w->daemon->clock);
    struct buf b;
    struct json_write j;
    buf_init(&b, 4096);
    json_write_init(&j, &b);
    write_state(&j, &s);
    admin_reply(x, 200, buf_span(&b));
    buf_done(&b);
}

// ---- followers ----

static struct follower *find_follower(struct clock_hub *h, const char *name, bool make)
{
    struct follower *unused = NULL;
    for (size_t i = 0; i < FOLLOWERS_MAX; i++) {
        struct follower *f = &h->followers[i];
        if (f->name[0] && strcmp(f->name, name) == 0)
            return f;
        bool stale = !f->here && clock_monotonic_ns() - f->seen_ns > FOLLOWER_GONE_NS;
        if (!unused && (!f->name[0] || stale))
            unused = f;
    }
    if (!make || !unused)
        return NULL;
    *unused = (struct follower){0};
    memcpy(unused->name, name, strlen(name) + 1);
    return unused;
}

static void note_follower(struct clock_hub *h, const char *name, uint64_t generation, bool here)
{
    pthread_mutex_lock(&h->mutex);
    struct follower *f = find_follower(h, name, true);
    if (f) {
        f->generation = generation;
        f->seen_ns = clock_monotonic_ns();
        f->here = here;
    }
    pthread_mutex_unlock(&h->mutex);
}

static void forget_follower(struct clock_hub *h, const char *name)
{
    pthread_mutex_lock(&h->mutex);
    struct follower *f = find_follower(h, name, false);
    if (f)
        f->name[0] = '\0';
    pthread_mutex_unlock(&h->mutex);
}

// Has every follower that is there taken the generation over?
static bool followers_have(struct clock_hub *h, uint64_t generation)
{
    bool all = true;
    pthread_mutex_lock(&h->mutex);
    for (size_t i = 0; i < FOLLOWERS_MAX; i++) {
        const struct follower *f = &h->followers[i];
        bool current = f->name[0] && (f->here || clock_monotonic_ns() - f->seen_ns < FOLLOWER_GONE_NS);
        all = all && (!current || f->generation >= generation);
    }
    pthread_mutex_unlock(&h->mutex);
    return all;
}

// ---- held exchanges, in their worker's thread ----

static void drop(struct held *held)
{
    for (struct held **at = &held->desk->held; *at; at = &(*at)->next) {
        if (*at == held) {
            *at = held->next;
            break;
        }
    }
    event_free(held->timer);
    free(held);
}

static void answer(struct held *held)
{
    struct worker *w = held->desk->worker;
    struct http_exchange *x = held->x;
    if (!held->is_post && held->follower[0])
        note_follower(held->desk->hub, held->follower, held->generation, false);
    if (x)
        http_exchange_on_close(x, NULL, NULL);
    drop(held);
    if (x)
        reply_state(w, x);
}

static void answer_if_ready(struct held *held)
{
    bool ready;
    if (held->is_post)
        ready = held->jobs_done && (held->timed_out || followers_have(held->desk->hub, held->generation));
    else
        ready = held->timed_out || clock_state(held->desk->worker->daemon->clock).generation != held->generation;
    if (ready)
        answer(held);
}

static void look(void *arg)
{
    struct desk *desk = arg;
    for (struct held *held = desk->held, *next; held; held = next) {
        next = held->next;
        answer_if_ready(held);
    }
}

static void wake_desks(struct clock_hub *h)
{
    for (size_t i = 0; i < h->desks_n; i++)
        loop_post(h->desks[i].worker->loop, look, &h->desks[i]);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct held *held = arg;
    held->timed_out = true;
    answer_if_ready(held);
}

// The client is gone: a follower need not be waited for any more.
static void on_close(struct http_exchange *x, void *arg)
{
    (void)x;
    struct held *held = arg;
    struct clock_hub *h = held->desk->hub;
    if (held->is_post)
        return; // it is answered in its time
    if (held->follower[0])
        forget_follower(h, held->follower);
    held->follower[0] = '\0'; // answer() does not note it again
    answer(held);
    wake_desks(h);
}

static struct held *hold(struct worker *w, struct http_exchange *x, bool is_post, uint64_t generation, int seconds)
{
    struct held *held = calloc(1, sizeof *held);
    struct timeval limit = {seconds, 0};
    if (!held)
        abort();
    *held = (struct held){.desk = desk_of(w), .x = x, .is_post = is_post, .generation = generation};
    held->timer = event_new(loop_base(w->loop), -1, 0, on_timer, held);
    if (!held->timer)
        abort();
    event_add(held->timer, &limit);
    held->next = held->desk->held;
    held->desk->held = held;
    http_exchange_on_close(x, on_close, held);
    return held;
}

// ---- GET ----

static bool read_number(struct span text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || *out > UINT64_MAX / 10 - 1)
            return false;
        *out = *out * 10 + (uint64_t)(text.p[i] - '0');
    }
    return text.n > 0;
}

void clock_admin_get(struct worker *w, struct http_exchange *x, struct span query)
{
    struct span after = admin_query(query, "after"), name = admin_query(query, "follower");
    char follower[NAME_SIZE] = "";
    uint64_t generation = 0;
    if ((after.p && !read_number(after, &generation)) || name.n >= NAME_SIZE) {
        admin_reply_error(x, 400, "after is a generation, follower a name of at most %d bytes", NAME_SIZE - 1);
        return;
    }
    if (name.n)
        memcpy(follower, name.p, name.n);
    if (!after.p) {
        // It will ask again with what it is told now; a change in between waits for that.
        if (name.n)
            note_follower(desk_of(w)->hub, follower, clock_state(w->daemon->clock).generation, false);
        reply_state(w, x);
        return;
    }
    struct held *held = hold(w, x, false, generation, POLL_S);
    if (name.n) {
        memcpy(held->follower, follower, sizeof follower);
        note_follower(held->desk->hub, held->follower, generation, true);
        wake_desks(held->desk->hub); // a POST may be waiting for this
    }
    answer_if_ready(held);
}

// ---- POST ----

struct change {
    bool set, advance, rescale;
    int64_t at_ns, by_ns;
    double scale;
};

static bool read_duration(const json_t *v, int64_t *ns)
{
    if (json_is_string(v))
        return time_parse_duration(json_span(v), ns);
    double seconds = json_number_value(v);
    if (!json_is_number(v) || seconds < 0 || seconds >= 1e9)
        return false;
    *ns = (int64_t)(seconds * (double)NS_PER_S);
    return true;
}

static const char *read_change(struct span body, struct change *c)
{
    char why[128];
    json_t *v = json_read(body, why, sizeof why);
    const char *error = NULL, *name;
    json_t *member;
    *c = (struct change){0};
    if (!json_is_object(v) || json_object_size(v) == 0)
        error = "the body is a JSON object with set, advance or scale";
    json_object_foreach(v, name, member)
    {
        if (strcmp(name, "set") == 0) {
            c->set = json_is_string(member) && time_parse_rfc3339(json_span(member), &c->at_ns) && c->at_ns >= 0;
            error = c->set ? error : "set is an RFC 3339 time from 1970 on";
        } else if (strcmp(name, "advance") == 0) {
            c->advance = read_duration(member, &c->by_ns) && c->by_ns >= 0;
            error = c->advance ? error : "advance is a duration such as \"5m\", or seconds";
        } else if (strcmp(name, "scale") == 0) {
            c->rescale = json_is_number(member) && json_number_value(member) >= 0 && json_number_value(member) <= 1e6;
            c->scale = json_number_value(member);
            error = c->rescale ? error : "scale is a number from 0 to 1000000";
        } else {
            error = "only set, advance and scale are known";
        }
    }
    json_decref(v);
    return error;
}

// All of it or, where the clock cannot show such a time, nothing.
static bool apply(struct clock *clock, const struct change *c)
{
    int64_t at_ns = c->at_ns;
    if (c->set && c->advance && __builtin_add_overflow(at_ns, c->by_ns, &at_ns))
        return false;
    if (c->set ? !clock_set(clock, at_ns) : c->advance && !clock_advance(clock, c->by_ns))
        return false;
    return !c->rescale || clock_set_scale(clock, c->scale);
}

struct jobs_run {
    struct desk *desk;
    uint64_t generation;
};

static void jobs_ran(void *arg)
{
    struct jobs_run *run = arg;
    for (struct held *held = run->desk->held, *next; held; held = next) {
        next = held->next;
        if (held->is_post && held->generation <= run->generation) {
            held->jobs_done = true;
            answer_if_ready(held);
        }
    }
    free(run);
}

static void run_jobs(void *arg)
{
    struct jobs_run *run = arg;
    scheduler_run_due(run->desk->hub->daemon->scheduler);
    loop_post(run->desk->worker->loop, jobs_ran, run);
}

void clock_admin_post(struct worker *w, struct http_exchange *x, struct span query)
{
    (void)query;
    struct clock *clock = w->daemon->clock;
    struct change change;
    const char *error = read_change(http_exchange_request(x)->body, &change);
    if (error || !clock_state(clock).is_virtual || !apply(clock, &change)) {
        admin_reply_error(x, error ? 400 : 409, "%s",
                          error ? error : "the clock is real, or cannot do this; start kmsd with --clock TIME");
        return;
    }
    struct jobs_run *run = calloc(1, sizeof *run);
    if (!run)
        abort();
    struct held *held = hold(w, x, true, clock_state(clock).generation, FOLLOWERS_WAIT_S);
    *run = (struct jobs_run){held->desk, held->generation};
    wake_desks(held->desk->hub);
    loop_post(w->daemon->loop, run_jobs, run);
}

// All workers have ended.
void clock_hub_free(struct clock_hub *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->desks_n; i++) {
        while (h->desks[i].held) {
            http_exchange_on_close(h->desks[i].held->x, NULL, NULL);
            drop(h->desks[i].held);
        }
    }
    pthread_mutex_destroy(&h->mutex);
    free(h);
}
