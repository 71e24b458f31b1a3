// Start, run and end of a daemon: what kmsd and ddbd share, in one order. Called by their main().
#include "common/rpc/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/json_read.h"
#include "common/base/log.h"
#include "common/base/time_format.h"
#include "common/http/address.h"
#include "common/rpc/daemon_options.h"
#include "common/rpc/daemon_state.h"

#define WHY_SIZE 1024
#define FINISH_LIMIT_NS (NS_PER_S / 2) // for calls that still wait when the daemon ends

// What only this file needs beside struct daemon.
struct running {
    struct daemon d;
    char *own_state_dir, *own_trail_dir, *memory_dir, *service_path;
    int lock_fd;
    pthread_t *threads;
    size_t threads_n;
    struct event *signals[3], *sync_timer;
    int status;
};

static void on_stop_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct running *r = arg;
    log_info("%s: ending", strsignal((int)fd));
    loop_stop(r->d.loop);
}

static void on_reload_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct running *r = arg;
    char why[WHY_SIZE];
    if (!credentials_reload(r->d.credentials, why, sizeof why)) {
        log_error("principals stay as they were: %s", why);
        return;
    }
    if (r->d.spec->reloaded)
        r->d.spec->reloaded(&r->d);
    log_info("principals read again");
}

static void on_sync_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct running *r = arg;
    if (!journal_sync_due(r->d.journal))
        log_error("the trail's journal cannot be synced: %s", strerror(errno));
}

void daemon_stop(struct daemon *d, int status)
{
    struct running *r = (struct running *)d;
    if (status)
        __atomic_store_n(&r->status, status, __ATOMIC_SEQ_CST);
    loop_stop(d->loop);
}

static bool check_account(const char *account, char *why, size_t why_size)
{
    if (id_is_account(span_of(account)))
        return true;
    snprintf(why, why_size, "--account: %s is not an account of 12 digits", account);
    return false;
}

// Strangers must not be let in from other machines.
static bool check_listen(struct daemon *d, char *why, size_t why_size)
{
    for (size_t i = 0; i < conf_count(d->conf, "listen"); i++) {
        struct http_address a;
        const char *text = conf_item(d->conf, "listen", i);
        if (!http_address_parse(text, &a)) {
            snprintf(why, why_size, "--listen: %s is not ADDRESS:PORT, with a numeric address or localhost", text);
            return false;
        }
        if (d->open_auth && !http_address_is_loopback(&a)) {
            snprintf(why, why_size, "--auth=open is refused on %s, which other machines reach; use --auth=strict",
                     text);
            return false;
        }
    }
    return true;
}

static bool make_clock(struct daemon *d, char *why, size_t why_size)
{
    const char *start = d->spec->leads ? conf_text(d->conf, "clock") : "real";
    if (strcmp(start, "real") == 0) {
        if (d->spec->leads && conf_number(d->conf, "clock-scale") != 1) {
            snprintf(why, why_size, "--clock-scale needs a virtual clock; say --clock=TIME too");
            return false;
        }
        d->clock = clock_new_real();
        return true;
    }
    int64_t ns;
    if (!time_parse_rfc3339(span_of(start), &ns) || ns < 0) {
        snprintf(why, why_size, "--clock: %s is neither `real` nor an RFC 3339 time from 1970 on", start);
        return false;
    }
    d->clock = clock_new_virtual(ns, conf_number(d->conf, "clock-scale"));
    return true;
}

// With :memory: the journal (all of the trail that is not yet delivered) still has to survive, beside the log files.
static bool make_folders(struct running *r, char *why, size_t why_size)
{
    struct daemon *d = &r->d;
    const char *given = conf_text(d->conf, "state-dir");
    d->in_memory = given && strcmp(given, ":memory:") == 0;
    r->own_state_dir = given && !d->in_memory ? strdup(given) : daemon_default_dir(d->spec->program);
    if (d->spec->leads) {
        const char *trail = conf_text(d->conf, "trail-dir");
        r->own_trail_dir = trail ? strdup(trail) : daemon_path(r->own_state_dir, "trail");
        d->trail_dir = r->own_trail_dir;
    }
    if (d->in_memory) {
        free(r->own_state_dir);
        r->memory_dir = d->spec->leads ? NULL : daemon_memory_dir(d->spec->program);
        r->own_state_dir = d->spec->leads ? daemon_path(d->trail_dir, ".journal") : r->memory_dir;
        if (!r->own_state_dir) {
            snprintf(why, why_size, "cannot make a folder in memory: %s", strerror(errno));
            return false;
        }
    }
    d->state_dir = r->own_state_dir;
    r->lock_fd = daemon_lock_dir(d->state_dir, why, why_size);
    if (r->lock_fd < 0)
        return false;
    // Told now, not at the first delivery.
    if (d->trail_dir && !file_mkdirs(d->trail_dir)) {
        snprintf(why, why_size, "cannot make %s: %s", d->trail_dir, strerror(errno));
        return false;
    }
    return true;
}

// Without state on the disk there is no state folder that both daemons know, but that of a kmsd without flags.
static bool read_credentials(struct running *r, char *why, size_t why_size)
{
    struct daemon *d = &r->d;
    const char *given = conf_text(d->conf, "service-credentials");
    if (given) {
        r->service_path = strdup(given);
    } else if (d->spec->leads && !d->in_memory) {
        r->service_path = daemon_path(d->state_dir, "service-credentials");
    } else {
        char *kmsd = daemon_default_dir("kmsd");
        r->service_path = daemon_path(kmsd, "service-credentials");
        free(kmsd);
    }
    struct credentials_options options = {
        .mode = d->open_auth ? AUTH_OPEN : AUTH_STRICT,
        .default_account = d->account,
        .principals_path = conf_text(d->conf, "principals"),
        .service_path = r->service_path,
        .started_ns = clock_now_ns(d->clock),
    };
    d->credentials = credentials_new(&options, why, why_size);
    return d->credentials != NULL;
}

static enum trail_sync trail_sync_of(const char *word)
{
    if (strcmp(word, "always") == 0)
        return TRAIL_SYNC_ALWAYS;
    return strcmp(word, "never") == 0 ? TRAIL_SYNC_NEVER : TRAIL_SYNC_INTERVAL;
}

static bool open_state(struct running *r, char *why, size_t why_size)
{
    struct daemon *d = &r->d;
    char *path = daemon_path(d->state_dir, "state.db");
    d->store = store_open(d->in_memory ? NULL : path, d->spec->store_tables, STORE_SYNC_FULL, why, why_size);
    free(path);
    if (!d->store)
        return false;
    char *journal = daemon_path(d->state_dir, "journal");
    d->journal = journal_open(journal, trail_sync_of(conf_text(d->conf, "trail-sync")), why, why_size);
    free(journal);
    return d->journal != NULL;
}

static bool make_workers(struct running *r, char *why, size_t why_size)
{
    struct daemon *d = &r->d;
    int64_t n = conf_integer(d->conf, "workers");
    if (n == 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    d->workers = calloc((size_t)n, sizeof *d->workers);
    r->threads = calloc((size_t)n, sizeof *r->threads);
    for (size_t i = 0; i < (size_t)n; i++) {
        d->workers[i] = worker_new(d, i, why, why_size);
        if (!d->workers[i])
            return false;
        d->workers_n++;
    }
    return true;
}

// The first worker opens the ports (and finds free ones), the others join.
static bool listen_all(struct daemon *d, char *why, size_t why_size)
{
    char error[HTTP_ERROR_MAX] = "";
    for (size_t i = 0; i < d->workers_n; i++) {
        for (size_t j = 0; j < conf_count(d->conf, "listen"); j++) {
            char address[HTTP_ADDRESS_MAX];
            snprintf(address, sizeof address, "%s", conf_item(d->conf, "listen", j));
            if (i > 0 && !http_server_address(d->workers[0]->http, j, address))
                return false;
            if (!http_server_listen(d->workers[i]->http, address, i > 0, error)) {
                snprintf(why, why_size, "%s", error);
                return false;
            }
        }
    }
    return true;
}

static void *worker_thread(void *arg)
{
    struct worker *w = arg;
    loop_run(w->loop, worker_turn_end, w);
    digest_thread_done();
    return NULL;
}

// Signals are the main thread's alone.
static bool start_threads(struct running *r, char *why, size_t why_size)
{
    struct daemon *d = &r->d;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    for (size_t i = 0; i < d->workers_n && !error; i++) {
        error = pthread_create(&r->threads[i], NULL, worker_thread, d->workers[i]);
        r->threads_n += error ? 0 : 1;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        snprintf(why, why_size, "cannot start a thread: %s", strerror(error));
    return !error;
}

static void watch(struct running *r)
{
    struct event_base *base = loop_base(r->d.loop);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a file at the limit of its size (ulimit -f) is an error of its write, not our end
    r->signals[0] = evsignal_new(base, SIGTERM, on_stop_signal, r);
    r->signals[1] = evsignal_new(base, SIGINT, on_stop_signal, r);
    r->signals[2] = evsignal_new(base, SIGHUP, on_reload_signal, r);
    for (size_t i = 0; i < 3; i++)
        event_add(r->signals[i], NULL);
    if (trail_sync_of(conf_text(r->d.conf, "trail-sync")) == TRAIL_SYNC_INTERVAL) {
        struct timeval second = {1, 0};
        r->sync_timer = event_new(base, -1, EV_PERSIST, on_sync_timer, r);
        event_add(r->sync_timer, &second);
    }
}

static bool start(struct running *r, char *why, size_t why_size)
{
    struct daemon *d = &r->d;
    d->account = conf_text(d->conf, "account");
    d->open_auth = strcmp(conf_text(d->conf, "auth"), "open") == 0;
    if (!check_account(d->account, why, why_size) || !check_listen(d, why, why_size) || !make_clock(d, why, why_size) ||
        !make_folders(r, why, why_size))
        return false;
    d->rng = rng_new(conf_text(d->conf, "seed"));
    d->loop = loop_new();
    d->scheduler = scheduler_new(d->clock, d->loop);
    if (!read_credentials(r, why, why_size) || !open_state(r, why, why_size))
        return false;
    watch(r);
    if (!make_workers(r, why, why_size) || !d->spec->start(d, why, why_size) || !listen_all(d, why, why_size))
        return false;
    for (size_t i = 0; i < d->workers_n; i++)
        if (d->spec->worker_start && !d->spec->worker_start(d->workers[i], why, why_size))
            return false;
    return start_threads(r, why, why_size);
}

// Written whatever the log level is: with port 0 it is the only way to learn the port.
static void announce(const struct daemon *d)
{
    char address[HTTP_ADDRESS_MAX];
    for (size_t i = 0; http_server_address(d->workers[0]->http, i, address); i++)
        fprintf(stderr, "%s: listening on http://%s\n", d->spec->program, address);
}

static void stop_worker(void *arg)
{
    struct worker *w = arg;
    http_server_stop(w->http);
    loop_stop(w->loop);
}

static bool calls_wait(const struct daemon *d)
{
    for (size_t i = 0; i < d->workers_n; i++)
        if (d->workers[i]->suspended_n > 0)
            return true;
    return false;
}

static void turn_loops(struct daemon *d)
{
    for (size_t i = 0; i < d->workers_n; i++) {
        event_base_loop(loop_base(d->workers[i]->loop), EVLOOP_NONBLOCK);
        worker_turn_end(d->workers[i]);
    }
}

// Calls that wait get their answer and leave in order; one worker's may wait for what another one began.
static void finish_calls(struct daemon *d)
{
    if (!d->spec->worker_finish)
        return;
    for (size_t i = 0; i < d->workers_n; i++)
        d->spec->worker_finish(d->workers[i]);
    int64_t until_ns = clock_monotonic_ns() + FINISH_LIMIT_NS;
    for (turn_loops(d); calls_wait(d) && clock_monotonic_ns() < until_ns; turn_loops(d))
        usleep(1000);
    turn_loops(d); // replies that did not leave in one piece
}

static void end(struct running *r, bool started)
{
    struct daemon *d = &r->d;
    for (size_t i = 0; i < r->threads_n; i++)
        loop_post(d->workers[i]->loop, stop_worker, d->workers[i]);
    for (size_t i = 0; i < r->threads_n; i++)
        pthread_join(r->threads[i], NULL);
    if (started)
        finish_calls(d);
    for (size_t i = 0; i < d->workers_n; i++)
        if (d->spec->worker_stop)
            d->spec->worker_stop(d->workers[i]);
    if (started && d->spec->stop)
        d->spec->stop(d);
    for (size_t i = 0; i < d->workers_n; i++)
        worker_free(d->workers[i]);
}

// Another signal does not cut an end short: from here on nobody handles it, and its default would be death.
static void block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void release(struct running *r)
{
    struct daemon *d = &r->d;
    block_signals();
    free(d->workers);
    free(r->threads);
    for (size_t i = 0; i < 3; i++)
        if (r->signals[i])
            event_free(r->signals[i]);
    if (r->sync_timer)
        event_free(r->sync_timer);
    scheduler_free(d->scheduler);
    loop_free(d->loop);
    if (d->journal)
        journal_close(d->journal);
    if (d->store)
        store_close(d->store);
    if (d->credentials)
        credentials_free(d->credentials);
    rng_free(d->rng);
    clock_free(d->clock);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    if (r->memory_dir)
        daemon_remove_dir(r->memory_dir);
    free(r->own_state_dir);
    free(r->own_trail_dir);
    free(r->service_path);
    conf_free(d->conf);
    digest_thread_done();
}

static void act(const struct daemon_spec *spec, const struct conf *conf, const char *action)
{
    if (strcmp(action, "help") == 0) {
        conf_print_help(conf, stdout);
    } else if (strcmp(action, "sample-config") == 0) {
        conf_print_sample(conf, stdout);
    } else if (strcmp(action, "list-operations") == 0) {
        daemon_list_operations(spec);
    } else {
        printf("%s %s\n", spec->program, KMSD_VERSION);
        if (spec->version)
            spec->version();
    }
}

static int run(struct running *r)
{
    char why[WHY_SIZE] = "out of memory";
    bool started = start(r, why, sizeof why);
    if (started) {
        announce(&r->d);
        scheduler_wake(r->d.scheduler);
        loop_run(r->d.loop, NULL, NULL);
    } else {
        log_error("%s", why);
        r->status = 1;
    }
    end(r, started);
    release(r);
    return __atomic_load_n(&r->status, __ATOMIC_SEQ_CST);
}

// Large buffers go back to the system when they are freed: by itself the allocator learns from the first ones to keep
// their like. Measured: after 60 bodies of 1 MiB at once 10 MiB stay resident instead of 47.
static void keep_memory_small(void)
{
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
    keep_memory_small();
    json_read_setup();
    static struct running r;
    r.lock_fd = -1;
    r.d.spec = spec;
    r.d.conf = conf_new(spec->program, spec->summary, daemon_options(spec));
    char why[WHY_SIZE];
    if (!conf_read(r.d.conf, argc, argv, why, sizeof why)) {
        fprintf(stderr, "%s: %s\nTry %s --help\n", spec->program, why, spec->program);
        conf_free(r.d.conf);
        return 2;
    }
    if (conf_action(r.d.conf)) {
        act(spec, r.d.conf, conf_action(r.d.conf));
        conf_free(r.d.conf);
        return 0;
    }
    enum log_level level = LOG_INFO;
    log_level_parse(conf_text(r.d.conf, "log-level"), &level);
    log_setup(spec->program, level);
    return run(&r);
}
