// kmsd: AWS KMS on one machine. Puts the daemon together: options, state, jobs, endpoints. What every daemon does is
// common/rpc/daemon.c's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/region.h"
#include "common/base/log.h"
#include "common/trail/deliver.h"
#include "common/trail/ship.h"
#include "kmsd/attestation.h"
#include "kmsd/clock_admin.h"
#include "kmsd/cloudhsm.h"
#include "kmsd/connect_job.h"
#include "kmsd/deletion.h"
#include "kmsd/expiry.h"
#include "kmsd/fault_rules.h"
#include "kmsd/key_maker.h"
#include "kmsd/key_use.h"
#include "kmsd/kmsd.h"
#include "kmsd/multi_region_job.h"
#include "kmsd/ops.h"
#include "kmsd/rotation_job.h"
#include "kmsd/routes.h"
#include "kmsd/seed.h"
#include "kmsd/throttle.h"
#include "kmsd/version.h"

#define CHANGES_KEPT 4096
#define HOUR_NS (INT64_C(3600) * NS_PER_S)

static const struct conf_option options[] = {
    {.name = "grant-delay",
     .kind = CONF_DURATION,
     .arg = "TIME",
     .def = "0s",
     .min = 0,
     .max = HOUR_NS,
     .help = "How long a new grant works only with its grant token, as on AWS for up to five minutes."},
    {.name = "grant-context-case",
     .kind = CONF_CHOICE,
     .def = "ignore",
     .choices = "ignore|exact",
     .help = "Whether the case of an encryption context's keys matters in a grant's constraint: the API reference says "
             "no, the developer guide said yes."},
    {.name = "seed-file",
     .kind = CONF_TEXT,
     .arg = "FILE",
     .help = "Keys, aliases, policies, tags and grants to begin with, in YAML or JSON, or a seed.yaml of local-kms. "
             "What is "
             "there already stays as it is."},
    {.name = "seed-region",
     .kind = CONF_TEXT,
     .arg = "REGION",
     .def = "us-east-1",
     .help = "The Region of seeded keys for which the file names none. Their account is the default account."},
    {.name = "throttle",
     .kind = CONF_TEXT,
     .arg = "RATES",
     .help = "Request rates of an account in a Region, by comma: aws (all of AWS's request quotas), "
             "OPERATION=CALLS_PER_SECOND, or one of the quotas that operations share: symmetric, RSA, ECC, ML-DSA, "
             "custom-key-store, GenerateDataKeyPair:RSA_2048 and so on. Off if left out."},
    {.name = "test-control",
     .kind = CONF_SWITCH,
     .help = "Lets programs of this machine go back to the seed (POST /_kmsd/reset) and make calls fail "
             "(/_kmsd/faults)."},
    {.name = "xks-ca",
     .kind = CONF_TEXT,
     .arg = "FILE",
     .help = "Certificates (PEM) that the proxies of external key stores are trusted by, instead of the system's."},
    {.name = "xks-timeout",
     .kind = CONF_DURATION,
     .arg = "TIME",
     .def = "250ms",
     .min = NS_PER_MS,
     .max = HOUR_NS,
     .help = "How long the proxy of an external key store may take to answer."},
    {.name = "xks-connect",
     .kind = CONF_LIST,
     .arg = "NAME=ADDRESS:PORT",
     .help =
         "Where the proxy of this name is reached, instead of at the name's address and port 443 (which no endpoint "
         "of an external key store can tell otherwise); its certificate must be for the name."},
    {.name = "cloudhsm",
     .kind = CONF_TEXT,
     .arg = "FILE",
     .help =
         "The CloudHSM clusters that key stores can be made of (JSON, read again at SIGHUP); without it every cluster "
         "exists and takes any password."},
    {.name = "key-store-delay",
     .kind = CONF_DURATION,
     .arg = "TIME",
     .def = "0s",
     .min = 0,
     .max = HOUR_NS,
     .help = "How long custom key stores take to connect and disconnect, on AWS up to 20 minutes."},
    {.name = "attestation-root",
     .kind = CONF_TEXT,
     .arg = "FILE",
     .help =
         "Certificates (PEM) to which attestation documents must lead, as AWS's own for Nitro enclaves and NitroTPM "
         "or a test's. Documents and certificates are judged by the daemon's clock. Without it Recipient is refused."},
    {NULL},
};

// ---- delivery of log files ----

static void deliver_now(struct kmsd *kmsd, int64_t now_ns)
{
    char why[512];
    if (!deliver_run(kmsd->deliver, now_ns, why, sizeof why))
        log_error("log files cannot be delivered: %s", why);
}

// A clock that was set back must not put delivery off for as long.
static int64_t delivery_due(void *arg)
{
    struct kmsd *kmsd = arg;
    int64_t latest = clock_after(clock_now_ns(kmsd->daemon->clock), kmsd->trail_interval_ns);
    if (kmsd->next_delivery_ns > latest)
        kmsd->next_delivery_ns = latest;
    return kmsd->next_delivery_ns;
}

static void delivery_run(void *arg, int64_t now_ns)
{
    struct kmsd *kmsd = arg;
    kmsd->next_delivery_ns = clock_after(now_ns, kmsd->trail_interval_ns);
    deliver_now(kmsd, now_ns);
}

static bool start_delivery(struct kmsd *kmsd, char *why, size_t why_size)
{
    struct daemon *d = kmsd->daemon;
    kmsd->deliver = deliver_new(d->journal, d->state_dir, d->trail_dir, d->rng, why, why_size);
    if (!kmsd->deliver)
        return false;
    kmsd->trail_interval_ns = conf_duration_ns(d->conf, "trail-interval");
    kmsd->next_delivery_ns = clock_after(clock_now_ns(d->clock), kmsd->trail_interval_ns);
    struct job job = {.name = "log delivery", .due = delivery_due, .run = delivery_run, .arg = kmsd};
    scheduler_add(d->scheduler, &job);
    return true;
}

// ---- start and stop ----

static bool open_keyring(struct kmsd *kmsd, char *why, size_t why_size)
{
    struct daemon *d = kmsd->daemon;
    char *path = NULL;
    if (!d->in_memory && asprintf(&path, "%s/root-key", d->state_dir) < 0)
        abort();
    struct keyring_options o = {
        .store = d->store,
        .root_key_path = path,
        .rng = d->rng,
        .context_case =
            strcmp(conf_text(d->conf, "grant-context-case"), "exact") == 0 ? CONTEXT_CASE_EXACT : CONTEXT_CASE_IGNORE,
    };
    kmsd->keyring = keyring_open(&o, why, why_size);
    free(path);
    return kmsd->keyring != NULL;
}

// What the seed holds and the state lacks. All of it or, with a reason, nothing.
static bool plant_seed(struct kmsd *kmsd, char *why, size_t why_size)
{
    struct daemon *d = kmsd->daemon;
    const char *file = conf_text(d->conf, "seed-file"), *region = conf_text(d->conf, "seed-region");
    if (!region_exists(span_of(region))) {
        snprintf(why, why_size, "--seed-region: %s is no Region of AWS", region);
        return false;
    }
    if (!file)
        return true;
    kmsd->seed = seed_read(d, file, region, why, why_size);
    return kmsd->seed && seed_apply(kmsd->seed, kmsd->keyring, d->rng, clock_now_ns(d->clock), false, why, why_size) &&
           store_commit(d->store, why, why_size);
}

static bool open_key_stores(struct kmsd *kmsd, char *why, size_t why_size)
{
    const struct conf *conf = kmsd->daemon->conf;
    kmsd->key_store_delay_ns = conf_duration_ns(conf, "key-store-delay");
    kmsd->cloudhsm = cloudhsm_open(conf_text(conf, "cloudhsm"), why, why_size);
    if (!kmsd->cloudhsm || !xks_settings_read(&kmsd->xks, conf, why, why_size))
        return false;
    kmsd->connect = connect_job_start(kmsd, &kmsd->xks);
    return true;
}

static bool load_attestation_root(struct kmsd *kmsd, char *why, size_t why_size)
{
    const char *path = conf_text(kmsd->daemon->conf, "attestation-root");
    if (path)
        kmsd->roots = attestation_root_load(path, why, why_size);
    return !path || kmsd->roots;
}

static bool start_throttle(struct kmsd *kmsd, char *why, size_t why_size)
{
    const char *rates = conf_text(kmsd->daemon->conf, "throttle");
    kmsd->throttle = rates ? throttle_new(rates, why, why_size) : NULL;
    return !rates || kmsd->throttle;
}

static void release(struct kmsd *kmsd)
{
    throttle_free(kmsd->throttle);
    seed_free(kmsd->seed);
    connect_job_free(kmsd->connect);
    cloudhsm_free(kmsd->cloudhsm);
    xks_settings_done(&kmsd->xks);
    attestation_root_free(kmsd->roots);
    clock_hub_free(kmsd->clock);
    fault_rules_free(kmsd->faults);
    deliver_free(kmsd->deliver);
    if (kmsd->journal)
        journal_writer_free(kmsd->journal);
    key_maker_free(kmsd->key_maker);
    keyring_close(kmsd->keyring);
    changes_free(kmsd->changes);
    free(kmsd);
}

static bool start(struct daemon *d, char *why, size_t why_size)
{
    struct kmsd *kmsd = calloc(1, sizeof *kmsd);
    if (!kmsd)
        abort();
    kmsd->daemon = d;
    d->ext = kmsd;
    d->test_control = conf_switch(d->conf, "test-control");
    kmsd->grant_delay_ns = conf_duration_ns(d->conf, "grant-delay");
    kmsd->key_maker = key_maker_new();
    kmsd->changes = changes_new(d->rng, CHANGES_KEPT);
    kmsd->journal = journal_writer_new(d->journal, "main", why, why_size);
    if (!kmsd->journal || !start_throttle(kmsd, why, why_size) || !load_attestation_root(kmsd, why, why_size) ||
        !open_keyring(kmsd, why, why_size) || !open_key_stores(kmsd, why, why_size) ||
        !plant_seed(kmsd, why, why_size) || !start_delivery(kmsd, why, why_size) ||
        !key_use_start(kmsd, why, why_size)) {
        release(kmsd);
        d->ext = NULL;
        return false;
    }
    kmsd->clock = clock_hub_new(d);
    if (d->test_control)
        kmsd->faults = fault_rules_new(d);
    deletion_start(kmsd);
    expiry_start(kmsd);
    rotation_job_start(kmsd);
    multi_region_job_start(kmsd);
    return true;
}

static void stop(struct daemon *d)
{
    struct kmsd *kmsd = d->ext;
    deliver_now(kmsd, clock_now_ns(d->clock));
    release(kmsd);
    d->ext = NULL;
}

static void reload_clusters(struct kmsd *kmsd)
{
    char why[512];
    const char *path = conf_text(kmsd->daemon->conf, "cloudhsm");
    if (!path)
        return;
    struct cloudhsm *next = cloudhsm_open(path, why, sizeof why);
    if (!next) {
        log_error("the CloudHSM clusters stay as they were: %s", why);
        return;
    }
    keyring_write_lock(kmsd->keyring);
    struct cloudhsm *old = kmsd->cloudhsm;
    kmsd->cloudhsm = next;
    keyring_write_unlock(kmsd->keyring);
    cloudhsm_free(old);
    log_info("CloudHSM clusters read again from %s", path);
}

// Who may do what may have changed for every key.
static void reloaded(struct daemon *d)
{
    struct kmsd *kmsd = d->ext;
    changes_reset(kmsd->changes, d->rng);
    reload_clusters(kmsd);
}

static bool worker_start(struct worker *w, char *why, size_t why_size)
{
    (void)why;
    (void)why_size;
    struct kmsd *kmsd = w->daemon->ext;
    w->ext = xks_client_new(loop_base(w->loop), &kmsd->xks);
    return true;
}

// Calls that wait get their answer: that there is no key, or that the proxy cannot be reached; calls that are delayed
// go on.
static void worker_finish(struct worker *w)
{
    struct kmsd *kmsd = w->daemon->ext;
    key_maker_stop(kmsd->key_maker);
    fault_rules_finish(w);
    if (w->ext)
        xks_client_end(w->ext);
}

static void worker_stop(struct worker *w)
{
    xks_client_free(w->ext);
    w->ext = NULL;
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .program = "kmsd",
        .summary = "AWS KMS on one machine, with a CloudTrail record of every call.",
        .options = options,
        .listen = "127.0.0.1:4599",
        .leads = true,
        .service = &kms_service,
        .routes = kmsd_routes,
        .store_tables = keyring_tables,
        .max_body = SHIP_BATCH_MAX + 64 * 1024,
        .start = start,
        .worker_start = worker_start,
        .worker_finish = worker_finish,
        .worker_stop = worker_stop,
        .stop = stop,
        .reloaded = reloaded,
        .version = version_print,
    };
    return daemon_main(&spec, argc, argv);
}
