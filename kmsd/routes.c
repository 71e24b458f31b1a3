// The table of kmsd's endpoints and the short handlers; the clock's are clock_admin.c's.
#include "kmsd/routes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/time_format.h"
#include "common/rpc/worker.h"
#include "common/trail/deliver.h"
#include "common/trail/ship.h"
#include "kmsd/clock_admin.h"
#include "kmsd/fault_admin.h"
#include "kmsd/kmsd.h"
#include "kmsd/reset.h"

#define REPLY_MAX (4u * 1024 * 1024)

static struct kmsd *kmsd_in(struct worker *w)
{
    return w->daemon->ext;
}

static void reply(struct http_exchange *x, struct buf *b)
{
    if (buf_ok(b))
        admin_reply(x, 200, buf_span(b));
    else
        admin_reply_error(x, 500, "out of memory");
    buf_done(b);
}

static void health(struct worker *w, struct http_exchange *x, struct span query)
{
    (void)query;
    struct kmsd *kmsd = kmsd_in(w);
    struct buf b;
    struct json_write j;
    char now[TIME_ISO_SIZE];
    keyring_read_lock(kmsd->keyring);
    struct keyring_counts counts = keyring_count(kmsd->keyring);
    keyring_unlock(kmsd->keyring);
    struct deliver_stats delivered = deliver_stats(kmsd->deliver);
    time_iso(clock_now_ns(w->daemon->clock), now);
    buf_init(&b, REPLY_MAX);
    json_write_init(&j, &b);
    json_obj_begin(&j);
    json_kcstr(&j, "status", "ok");
    json_kcstr(&j, "version", KMSD_VERSION);
    json_kcstr(&j, "account", w->daemon->account);
    json_kcstr(&j, "now", now);
    json_ki64(&j, "keys", (int64_t)counts.keys);
    json_ki64(&j, "aliases", (int64_t)counts.aliases);
    json_ki64(&j, "grants", (int64_t)counts.grants);
    json_ki64(&j, "deliveredFiles", (int64_t)delivered.files);
    json_ki64(&j, "deliveredRecords", (int64_t)delivered.records);
    json_obj_end(&j);
    reply(x, &b);
}

static void list_changes(struct worker *w, struct http_exchange *x, struct span query)
{
    struct buf b;
    struct json_write j;
    char text[24] = "";
    struct span after = admin_query(query, "after");
    if (after.n >= sizeof text) {
        admin_reply_error(x, 400, "after is a number");
        return;
    }
    if (after.n)
        memcpy(text, after.p, after.n);
    char *end = text;
    uint64_t seen = strtoull(text, &end, 10);
    if (*end || text[0] == '-') {
        admin_reply_error(x, 400, "after is a number");
        return;
    }
    buf_init(&b, REPLY_MAX);
    json_write_init(&j, &b);
    changes_write(kmsd_in(w)->changes, seen, admin_query(query, "epoch"), &j);
    reply(x, &b);
}

// A service's trail events become part of kmsd's journal; they are there when this is answered.
static void take_events(struct worker *w, struct http_exchange *x, struct span query)
{
    (void)query;
    char why[256] = "";
    size_t accepted = 0;
    enum ship_verdict verdict = ship_accept(w->journal, http_exchange_request(x)->body, &accepted, why, sizeof why);
    if (verdict == SHIP_MALFORMED) {
        log_warn("refused a batch of trail events: %s", why);
        admin_reply_error(x, 400, "%s", why);
    } else if (verdict == SHIP_LATER || !worker_flush_journal(w)) {
        admin_reply_error(x, 503, "%s", why[0] ? why : "the journal cannot be written");
    } else {
        struct buf b;
        buf_init(&b, REPLY_MAX);
        buf_appendf(&b, "{\"accepted\":%zu}", accepted);
        reply(x, &b);
    }
}

const struct admin_route kmsd_routes[] = {
    {.method = "GET", .path = "/_kmsd/health", .handle = health},
    {.method = "GET", .path = "/_kmsd/clock", .handle = clock_admin_get},
    {.method = "POST", .path = "/_kmsd/clock", .loopback_only = true, .handle = clock_admin_post},
    {.method = "GET", .path = "/_kmsd/changes", .service_only = true, .handle = list_changes},
    {.method = "POST", .path = "/_kmsd/trail/events", .service_only = true, .handle = take_events},
    {.method = "POST", .path = "/_kmsd/reset", .loopback_only = true, .for_tests = true, .handle = reset_post},
    {.method = "GET", .path = "/_kmsd/faults", .loopback_only = true, .for_tests = true, .handle = fault_admin_get},
    {.method = "POST", .path = "/_kmsd/faults", .loopback_only = true, .for_tests = true, .handle = fault_admin_post},
    {.method = "DELETE",
     .path = "/_kmsd/faults",
     .loopback_only = true,
     .for_tests = true,
     .handle = fault_admin_delete},
    {NULL},
};
