// What both daemons share: start, configuration, lock, workers, signals, clock, trail, end. A daemon is a spec.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/auth/credentials.h"
#include "common/base/clock.h"
#include "common/base/conf.h"
#include "common/base/rng.h"
#include "common/rpc/admin.h"
#include "common/rpc/loop.h"
#include "common/rpc/op.h"
#include "common/rpc/scheduler.h"
#include "common/rpc/worker.h"
#include "common/store/store.h"
#include "common/trail/journal.h"

struct daemon;

struct daemon_spec {
    const char *program;               // "kmsd"
    const char *summary;               // first line of --help
    const struct conf_option *options; // daemon_options.c adds the shared ones before these; ended by a NULL name
    const char *listen;                // default of --listen
    bool leads; // kmsd: has the clock and delivers the trail (--clock, --clock-scale, --trail-dir, --trail-interval)
    const struct service *service;
    const struct admin_route *routes; // ended by a NULL path
    const char *const *store_tables;  // NULL ends
    size_t max_body;                  // bytes of a request body
    // Each returns false with a reason. start: state is loaded, jobs are added; before the first worker runs.
    // worker_start: in the main thread, once per worker, before its loop runs.
    bool (*start)(struct daemon *d, char *why, size_t why_size);
    bool (*worker_start)(struct worker *w, char *why, size_t why_size);
    // All in the main thread, after the loops of all workers have ended. worker_finish: what suspended calls wait for
    // is given up, so that they come to their answer; the loops are turned until there are none. NULL: no call waits.
    void (*worker_finish)(struct worker *w);
    void (*worker_stop)(struct worker *w);
    // stop: all workers have ended; deliver, ship, wipe.
    void (*stop)(struct daemon *d);
    // reloaded: in the main thread, after SIGHUP has brought other principals into force; NULL: nothing to do.
    void (*reloaded)(struct daemon *d);
    void (*version)(void); // extra lines of --version; NULL: none
};

struct daemon {
    const struct daemon_spec *spec;
    struct conf *conf;
    struct clock *clock;
    struct rng *rng;
    struct credentials *credentials;
    struct store *store;
    struct journal *journal;
    struct loop *loop; // the main thread's
    struct scheduler *scheduler;
    struct worker **workers;
    size_t workers_n;
    const char *account; // the default account
    const char
        *state_dir; // where state lives; with :memory: a folder for what cannot be in memory (journal, table files)
    const char *trail_dir; // NULL unless the daemon leads
    bool in_memory;
    bool open_auth;
    bool test_control; // admin routes for tests are there
    void *ext;         // the daemon's own state
};

// main() of both: returns the exit status.
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);
// Ends the daemon in order, as SIGTERM does; any thread. status is the exit status.
void daemon_stop(struct daemon *d, int status);
