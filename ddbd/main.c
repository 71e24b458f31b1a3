// ddbd: DynamoDB on one machine, encrypted at rest under kmsd's keys. Puts the parts together in the order that they
// need one another, and takes them apart again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "ddbd/background.h"
#include "ddbd/change_feed.h"
#include "ddbd/clock_follow.h"
#include "ddbd/ddbd.h"
#include "ddbd/key_check.h"
#include "ddbd/ops.h"
#include "ddbd/owned_key.h"
#include "ddbd/retire.h"
#include "ddbd/sse_work.h"
#include "ddbd/table_access.h"
#include "ddbd/trail_ship.h"

#define BODY_MAX (4 * 1024 * 1024) // an item of 400 KB as JSON, with base64 or every character escaped
#define HOUR_NS (INT64_C(3600) * NS_PER_S)
// How long the start waits for kmsd's clock, and the end for the last events and grants.
#define START_LIMIT_NS (300 * NS_PER_MS)
#define END_LIMIT_NS (600 * NS_PER_MS)

static const struct conf_option options[] = {
    {.name = "kms-url", .kind = CONF_TEXT, .arg = "URL", .def = "http://127.0.0.1:4599", .help = "Where kmsd answers."},
    {.name = "kms-timeout",
     .kind = CONF_DURATION,
     .arg = "TIME",
     .def = "5s",
     .min = NS_PER_MS,
     .max = HOUR_NS,
     .help = "How long a call to kmsd may take, in real time."},
    {.name = "key-cache",
     .kind = CONF_CHOICE,
     .def = "normal",
     .choices = "normal|strict",
     .help = "normal: as the service, a principal's right to a table key is good for --key-cache-ttl. strict: kmsd is "
             "asked before each use whether it was withdrawn."},
    {.name = "key-cache-ttl",
     .kind = CONF_DURATION,
     .arg = "TIME",
     .def = "300s",
     .min = NS_PER_MS,
     .max = 24 * HOUR_NS,
     .help = "How long a table key is cached for a principal after its Decrypt, on the daemon's clock."},
    {.name = "key-check-interval",
     .kind = CONF_DURATION,
     .arg = "TIME",
     .def = "1800s",
     .min = NS_PER_MS,
     .max = 720 * HOUR_NS,
     .help = "How often tables are checked for the loss of their KMS key, on the daemon's clock."},
    {0},
};

static const char *const store_tables[] = {CATALOGUE_TABLE, RETIRE_TABLE, OWNED_KEY_TABLE, NULL};

// ---- the key cache's surroundings ----

static int64_t now_ns(void *arg)
{
    return clock_now_ns(((struct ddbd *)arg)->daemon->clock);
}

static void wake_scheduler(void *arg)
{
    scheduler_wake(((struct ddbd *)arg)->daemon->scheduler);
}

static int64_t cache_due(void *arg)
{
    return keycache_due(((struct ddbd *)arg)->keys);
}

static void cache_expire(void *arg, int64_t now)
{
    keycache_expire(((struct ddbd *)arg)->keys, now);
}

static bool keep_stats(struct table_info *t, void *arg)
{
    const struct table_stats *stats = arg;
    bool changed = t->items != (int64_t)stats->items || t->bytes != (int64_t)stats->bytes;
    t->items = (int64_t)stats->items;
    t->bytes = (int64_t)stats->bytes;
    return changed;
}

// Goes to disk with the next commit of the catalogue; a crash before that costs an old ItemCount, which is what the
// service shows, too.
static void table_closed(void *arg, const struct table_info *which, struct table_stats stats)
{
    struct ddbd *d = arg;
    table_info_unref(catalogue_change(d->catalogue, which, keep_stats, &stats));
}

// ---- start ----

static bool open_tables_at(struct ddbd *d, char *why, size_t why_size)
{
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/tables", d->daemon->state_dir);
    if (!file_mkdirs(dir)) {
        snprintf(why, why_size, "%s: cannot be made", dir);
        return false;
    }
    bool durable = !d->daemon->in_memory && strcmp(conf_text(d->daemon->conf, "trail-sync"), "always") == 0;
    struct page_vfs_options o = {.sync = durable ? PAGE_VFS_SYNC_COMMIT : PAGE_VFS_SYNC_CHECKPOINT};
    d->tables = open_tables_new(dir, &o, table_closed, d);
    return true;
}

static void add_jobs(struct ddbd *d)
{
    struct scheduler *s = d->daemon->scheduler;
    scheduler_add(s, &(struct job){"key cache", cache_due, cache_expire, d});
    scheduler_add(s, &(struct job){"key changes", sse_phase_due, sse_phase_run, d});
    scheduler_add(s, &(struct job){"giving up", sse_work_due, sse_work_run, d->work});
    scheduler_add(s, &(struct job){"key check", key_check_due, key_check_run, d->check});
}

static bool is_unreadable(const struct table_info *t, void *arg)
{
    (void)arg;
    return t->status == TABLE_UNREADABLE;
}

static bool load_tables(struct ddbd *d, char *why, size_t why_size)
{
    if (!catalogue_load(d->catalogue, why, why_size))
        return false;
    size_t n;
    const struct table_info **list = catalogue_list(d->catalogue, is_unreadable, NULL, &n);
    for (size_t i = 0; i < n; i++)
        log_error("state.db: the record of table %s of %s in %s is damaged; the table cannot be used", list[i]->name,
                  list[i]->account, list[i]->region);
    catalogue_list_free(list, n);
    return true;
}

static bool load_state(struct ddbd *d, char *why, size_t why_size)
{
    struct daemon *daemon = d->daemon;
    if (!owned_key_open(&d->owned_key, daemon->in_memory ? NULL : daemon->state_dir, daemon->store, why, why_size) ||
        !open_tables_at(d, why, why_size))
        return false;
    d->catalogue = catalogue_new(daemon->store);
    d->retire = retire_new(d);
    return load_tables(d, why, why_size) && retire_load(d->retire, why, why_size);
}

static bool start(struct daemon *daemon, char *why, size_t why_size)
{
    struct ddbd *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    daemon->ext = d;
    d->daemon = daemon;
    d->kms_url = conf_text(daemon->conf, "kms-url");
    d->kms_timeout_ns = conf_duration_ns(daemon->conf, "kms-timeout");
    d->strict = strcmp(conf_text(daemon->conf, "key-cache"), "strict") == 0;
    d->kms = kms_client_new(loop_base(daemon->loop), d->kms_url, daemon->credentials, d->kms_timeout_ns, why, why_size);
    if (!d->kms || !load_state(d, why, why_size))
        return false;
    struct keycache_ops ops = {now_ns, table_access_open, table_access_close, wake_scheduler, d};
    d->keys = keycache_new(&ops, conf_duration_ns(daemon->conf, "key-cache-ttl"));
    d->position = change_position_new(d->keys);
    d->work = sse_work_new(d);
    d->follow = clock_follow_new(d);
    clock_follow_start(d->follow, START_LIMIT_NS);
    d->check = key_check_new(d, conf_duration_ns(daemon->conf, "key-check-interval"));
    d->ship = trail_ship_new(d, why, why_size);
    if (!d->ship)
        return false;
    add_jobs(d);
    sse_work_resume(d->work);
    trail_ship_kick(d->ship);
    return true;
}

static bool worker_start(struct worker *w, char *why, size_t why_size)
{
    struct ddbd *d = w->daemon->ext;
    struct ddbd_worker *own = calloc(1, sizeof *own);
    if (!own)
        abort();
    w->ext = own;
    own->kms = kms_client_new(loop_base(w->loop), d->kms_url, w->daemon->credentials, d->kms_timeout_ns, why, why_size);
    if (own->kms && d->strict)
        own->feed = change_feed_new(d->position, own->kms);
    return own->kms != NULL;
}

// ---- end ----

// Calls that wait for kmsd get their answer: that it cannot be reached.
static void worker_finish(struct worker *w)
{
    struct ddbd_worker *own = w->ext;
    if (own && own->kms)
        kms_client_end(own->kms);
}

static void worker_stop(struct worker *w)
{
    struct ddbd_worker *own = w->ext;
    if (!own)
        return;
    change_feed_free(own->feed);
    kms_client_free(own->kms);
    free(own);
    w->ext = NULL;
}

static void stop(struct daemon *daemon)
{
    struct ddbd *d = daemon->ext;
    char why[256];
    background_drain(d, END_LIMIT_NS);
    kms_client_end(d->kms);
    event_base_loop(loop_base(daemon->loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    kms_client_free(d->kms);
    trail_ship_free(d->ship);
    key_check_free(d->check);
    clock_follow_free(d->follow);
    sse_work_free(d->work);
    keycache_free(d->keys); // closes the tables
    change_position_free(d->position);
    if (!store_commit(daemon->store, why, sizeof why))
        log_error("the catalogue cannot be written: %s", why);
    retire_free(d->retire);
    open_tables_free(d->tables);
    catalogue_free(d->catalogue);
    secret_done(&d->owned_key);
    free(d);
}

// ---- its own endpoints ----

static void health(struct worker *w, struct http_exchange *x, struct span query)
{
    (void)query;
    struct ddbd *d = w->daemon->ext;
    struct buf b;
    struct json_write out;
    buf_init(&b, 1024);
    json_write_init(&out, &b);
    json_obj_begin(&out);
    json_kcstr(&out, "status", "ok");
    json_kcstr(&out, "version", KMSD_VERSION);
    json_kcstr(&out, "kms", clock_follow_connected(d->follow) ? "reachable" : "unreachable");
    json_ki64(&out, "cachedKeys", (int64_t)keycache_entries(d->keys));
    json_obj_end(&out);
    admin_reply(x, 200, buf_span(&b));
    buf_done(&b);
}

static const struct admin_route routes[] = {
    {.method = "GET", .path = "/_ddbd/health", .handle = health},
    {0},
};

static const struct daemon_spec spec = {
    .program = "ddbd",
    .summary = "DynamoDB on this machine, encrypted at rest under kmsd's keys.",
    .options = options,
    .listen = "127.0.0.1:8000",
    .service = &ddbd_service,
    .routes = routes,
    .store_tables = store_tables,
    .max_body = BODY_MAX,
    .start = start,
    .worker_start = worker_start,
    .worker_finish = worker_finish,
    .worker_stop = worker_stop,
    .stop = stop,
};

int main(int argc, char **argv)
{
    umask(077);       // nothing of the state is for others
    page_vfs_setup(); // before anything else uses SQLite
    return daemon_main(&spec, argc, argv);
}
