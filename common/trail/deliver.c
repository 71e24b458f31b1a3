// The deliverer: from the journal to log files, exactly once. Each delivery is planned, its manifest put on the disk,
// its files written, and only then the position moved on and finished segments forgotten; whatever is cut off in
// between is done again from the manifest. Called by kmsd's scheduler and at its end.
#include "common/trail/deliver.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/trail/deliver_state.h"

// Origins beyond this are forgotten, oldest first: each start of a ddbd without state on disk is a new one.
#define ORIGINS_MAX 10000

struct deliver {
    struct journal *journal;
    const char *trail_dir;
    struct rng *rng;
    struct deliver_state state;
    struct plan plan;
    bool plan_read; // records of a pending plan are in memory
    bool (*on_finish)(void *arg, char *why, size_t why_size);
    void *on_finish_arg;
    _Atomic uint64_t files, records;
    _Atomic int64_t last_ns;
};

static bool restore(struct deliver *d, char *why, size_t why_size)
{
    if (!deliver_state_read(&d->state, &d->plan, d->journal, why, why_size))
        return false;
    for (size_t i = 0; i < d->state.origins.n; i++) {
        const struct plan_origin *o = &d->state.origins.v[i];
        if (!journal_origin_restore(d->journal, span_of(o->name), o->sequence)) {
            snprintf(why, why_size, "out of memory");
            return false;
        }
    }
    journal_forget(d->journal, &d->state.done);
    return true;
}

struct deliver *deliver_new(struct journal *j, const char *state_dir, const char *trail_dir, struct rng *rng, char *why,
                            size_t why_size)
{
    struct deliver *d = calloc(1, sizeof *d);
    if (!d) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    d->journal = j;
    d->trail_dir = trail_dir;
    d->rng = rng;
    bool fits = snprintf(d->state.path, sizeof d->state.path, "%s/delivered.json", state_dir) < PATH_MAX;
    if (!fits)
        snprintf(why, why_size, "%s: %s", state_dir, strerror(ENAMETOOLONG));
    if (fits && restore(d, why, why_size))
        return d;
    deliver_free(d);
    return NULL;
}

void deliver_free(struct deliver *d)
{
    if (!d)
        return;
    plan_done(&d->plan);
    journal_positions_done(&d->state.done);
    plan_origins_done(&d->state.origins);
    free(d);
}

// A manifest read from the disk: its records again, which must be what the files were planned for.
static bool reread(struct deliver *d, char *why, size_t why_size)
{
    size_t planned = 0;
    if (d->plan_read)
        return true;
    // What a try that failed half way left.
    free(d->plan.records);
    d->plan.records = NULL;
    d->plan.records_n = d->plan.records_room = 0;
    if (!plan_read(&d->plan, d->journal, false, why, why_size))
        return false;
    for (size_t i = 0; i < d->plan.files_n; i++)
        planned += d->plan.files[i].records;
    if (planned != d->plan.records_n) {
        snprintf(why, why_size, "%s: the delivery under way was of %zu records, the journal has %zu", d->state.path,
                 planned, d->plan.records_n);
        return false;
    }
    d->plan_read = true;
    return true;
}

static bool advance(struct deliver *d)
{
    for (size_t i = 0; i < d->plan.ranges_n; i++) {
        const struct journal_range *r = &d->plan.ranges[i];
        struct journal_position at = {.segment = r->segment, .offset = r->to};
        memcpy(at.writer, r->writer, sizeof at.writer);
        if (!journal_positions_set(&d->state.done, &at))
            return false;
    }
    struct plan_origins *all = &d->state.origins;
    for (size_t i = 0; i < d->plan.origins.n; i++)
        if (!plan_origins_set(all, span_of(d->plan.origins.v[i].name), d->plan.origins.v[i].sequence))
            return false;
    if (all->n > ORIGINS_MAX) {
        memmove(all->v, all->v + (all->n - ORIGINS_MAX), ORIGINS_MAX * sizeof *all->v);
        all->n = ORIGINS_MAX;
    }
    return true;
}

// Files, then the state without the manifest, then the journal may forget. Every step may be done twice.
static bool finish(struct deliver *d, char *why, size_t why_size)
{
    if (!reread(d, why, why_size) || !plan_write_files(&d->plan, d->journal, d->trail_dir, why, why_size) ||
        (d->on_finish && !d->on_finish(d->on_finish_arg, why, why_size)))
        return false;
    if (!advance(d)) {
        snprintf(why, why_size, "out of memory");
        return false;
    }
    if (!deliver_state_write(&d->state, NULL, d->journal, why, why_size))
        return false;
    d->state.pending = false;
    atomic_fetch_add(&d->files, d->plan.files_n);
    atomic_fetch_add(&d->records, d->plan.records_n);
    atomic_store(&d->last_ns, d->plan.now_ns);
    plan_done(&d->plan);
    d->plan_read = false;
    journal_forget(d->journal, &d->state.done);
    return true;
}

// Plans what waits, as much as one delivery takes. False with a reason; `*empty`: nothing waits.
static bool begin(struct deliver *d, int64_t now_ns, bool *empty, char *why, size_t why_size)
{
    struct plan *p = &d->plan;
    *p = (struct plan){.now_ns = now_ns};
    bool ok = journal_ranges(d->journal, &d->state.done, &p->ranges, &p->ranges_n);
    if (!ok)
        snprintf(why, why_size, "out of memory");
    *empty = p->ranges_n == 0;
    ok = ok && (*empty || (plan_read(p, d->journal, true, why, why_size) &&
                           plan_name_files(p, d->trail_dir, d->rng, why, why_size) &&
                           deliver_state_write(&d->state, p, d->journal, why, why_size)));
    d->state.pending = d->plan_read = ok && !*empty;
    if (!d->state.pending)
        plan_done(p);
    return ok;
}

// What comes in meanwhile waits for the next run: there may be no end of it.
bool deliver_run(struct deliver *d, int64_t now_ns, char *why, size_t why_size)
{
    bool empty = false, whole = false;
    while (!empty && !whole) {
        bool begun = !d->state.pending;
        if (begun && !begin(d, now_ns, &empty, why, why_size))
            return false;
        whole = begun && d->plan.whole;
        if (d->state.pending && !finish(d, why, why_size))
            return false;
    }
    return true;
}

void deliver_on_finish(struct deliver *d, bool (*save)(void *arg, char *why, size_t why_size), void *arg)
{
    d->on_finish = save;
    d->on_finish_arg = arg;
}

static bool read_all(struct deliver *d, const struct journal_range *range,
                     void (*each)(void *arg, const struct journal_entry *e), void *arg, char *why, size_t why_size)
{
    struct journal_reader *r = journal_reader_open(d->journal, range, why, why_size);
    struct journal_entry e;
    struct journal_read_at at;
    enum journal_read read = JOURNAL_READ_FAILED;
    while (r && (read = journal_reader_next(r, &e, &at, why, why_size)) == JOURNAL_READ_RECORD)
        each(arg, &e);
    journal_reader_close(r);
    return read == JOURNAL_READ_END;
}

// A delivery under way has not moved the positions on: its records are among these.
bool deliver_waiting(struct deliver *d, void (*each)(void *arg, const struct journal_entry *e), void *arg, char *why,
                     size_t why_size)
{
    struct journal_range *ranges = NULL;
    size_t n = 0;
    bool ok = journal_ranges(d->journal, &d->state.done, &ranges, &n);
    if (!ok)
        snprintf(why, why_size, "out of memory");
    for (size_t i = 0; ok && i < n; i++)
        ok = read_all(d, &ranges[i], each, arg, why, why_size);
    free(ranges);
    return ok;
}

struct deliver_stats deliver_stats(const struct deliver *d)
{
    return (struct deliver_stats){atomic_load(&d->files), atomic_load(&d->records), atomic_load(&d->last_ns)};
}
