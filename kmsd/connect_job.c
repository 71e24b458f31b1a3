// What comes of connections. A key store may be disconnected, changed, even deleted while its proxy is being asked: the
// answer counts only for the attempt that asked.
#include "kmsd/connect_job.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ids.h"
#include "common/base/log.h"
#include "kmsd/cloudhsm.h"
#include "kmsd/xks_client.h"

struct connect_job {
    struct kmsd *kmsd;
    struct xks_client *client; // the main thread's
};

struct asking {
    struct kmsd *kmsd;
    char id[KEY_STORE_ID_SIZE];
    uint64_t attempt;
};

static void commit(struct kmsd *kmsd)
{
    char why[256];
    if (store_commit(kmsd->daemon->store, why, sizeof why))
        return;
    log_error("the connection of a custom key store was not made durable, ending: %s", why);
    daemon_stop(kmsd->daemon, 1);
}

// The write lock is held.
static void settle(struct kmsd *kmsd, struct key_store *s, enum connection_state state, enum connection_error error)
{
    s->state = state;
    s->error = error;
    log_info("custom key store %s is %s%s%s", s->id, connection_state_names[state], error ? ": " : "",
             error ? connection_error_names[error] : "");
    keyring_save_key_store(kmsd->keyring, s);
}

static void connected(struct kmsd *kmsd, struct key_store *s, enum connection_error error)
{
    settle(kmsd, s, error ? STORE_FAILED : STORE_CONNECTED, error);
}

static void on_health(void *arg, struct xks_reply *r)
{
    struct asking *a = arg;
    struct kmsd *kmsd = a->kmsd;
    keyring_write_lock(kmsd->keyring);
    struct key_store *s = keyring_key_store(kmsd->keyring, span_of(a->id));
    if (s) {
        s->asking = false;
        if (s->attempt == a->attempt && s->state == STORE_CONNECTING)
            connected(kmsd, s, xks_failures[r->failure].connecting);
    }
    keyring_write_unlock(kmsd->keyring);
    commit(kmsd);
    scheduler_wake(kmsd->daemon->scheduler); // for an attempt that came meanwhile
    free(a);
}

static void ask_proxy(struct connect_job *job, struct key_store *s)
{
    char request_id[UUID_TEXT_SIZE];
    struct asking *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    *a = (struct asking){.kmsd = job->kmsd, .attempt = s->attempt};
    memcpy(a->id, s->id, sizeof a->id);
    id_uuid(job->kmsd->daemon->rng, request_id);
    struct xks_request q = {.api = XKS_HEALTH,
                            .origin = {.operation = "ConnectCustomKeyStore", .request_id = request_id}};
    s->asking = true;
    xks_client_call(job->client, s, &q, on_health, a);
}

static void run(void *arg, int64_t now_ns)
{
    struct connect_job *job = arg;
    struct kmsd *kmsd = job->kmsd;
    keyring_write_lock(kmsd->keyring);
    struct key_store *s;
    while ((s = keyring_due_connection(kmsd->keyring, now_ns)) != NULL) {
        if (s->state == STORE_DISCONNECTING)
            settle(kmsd, s, STORE_DISCONNECTED, CONNECTION_OK);
        else if (s->type == KEY_STORE_CLOUDHSM)
            connected(kmsd, s, cloudhsm_connect(kmsd->cloudhsm, s));
        else
            ask_proxy(job, s);
    }
    keyring_write_unlock(kmsd->keyring);
    commit(kmsd);
}

static int64_t due(void *arg)
{
    struct connect_job *job = arg;
    keyring_read_lock(job->kmsd->keyring);
    int64_t at = keyring_next_connection(job->kmsd->keyring);
    keyring_unlock(job->kmsd->keyring);
    return at;
}

struct connect_job *connect_job_start(struct kmsd *kmsd, const struct xks_settings *xks)
{
    struct connect_job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->kmsd = kmsd;
    job->client = xks_client_new(loop_base(kmsd->daemon->loop), xks);
    struct job j = {.name = "custom key store connections", .due = due, .run = run, .arg = job};
    scheduler_add(kmsd->daemon->scheduler, &j);
    return job;
}

void connect_job_free(struct connect_job *job)
{
    if (!job)
        return;
    xks_client_end(job->client);
    xks_client_free(job->client);
    free(job);
}
