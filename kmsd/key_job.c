// The walk that all jobs on dates of keys share, in the main thread. As with calls, the record comes first: event, then
// the change, then the store.
#include "kmsd/key_job.h"

#include <errno.h>
#include <string.h>

#include "common/base/log.h"

#define BATCH 256
#define RETRY_NS (INT64_C(60) * NS_PER_S)

// The write lock is held. How many were due; not all of them are done when the trail cannot be written.
static size_t run_batch(struct key_job *job, int64_t now_ns)
{
    struct key *due[BATCH];
    struct keyring *k = job->kmsd->keyring;
    size_t n = keyring_due(k, job->date, now_ns, due, BATCH), done = 0;
    while (done < n && job->run(job->kmsd, due[done], now_ns))
        done++;
    if (done < n) {
        log_error("%s of %s is put off, its trail event cannot be written: %s", job->name, due[done]->arn,
                  strerror(errno));
        job->retry_ns = clock_after(now_ns, RETRY_NS);
    }
    for (size_t i = done; i < n; i++)
        keyring_note_dates(k, due[i]);
    return n;
}

static int64_t due(void *arg)
{
    struct key_job *job = arg;
    keyring_read_lock(job->kmsd->keyring);
    int64_t at = keyring_next(job->kmsd->keyring, job->date);
    keyring_unlock(job->kmsd->keyring);
    return at < job->retry_ns ? job->retry_ns : at;
}

static void run(void *arg, int64_t now_ns)
{
    struct key_job *job = arg;
    char why[256];
    keyring_write_lock(job->kmsd->keyring);
    size_t n = run_batch(job, now_ns);
    keyring_write_unlock(job->kmsd->keyring);
    if (n > 0 && !store_commit(job->kmsd->daemon->store, why, sizeof why)) {
        log_error("%s was not made durable, ending: %s", job->name, why);
        daemon_stop(job->kmsd->daemon, 1);
        job->retry_ns = clock_after(now_ns, RETRY_NS);
    }
}

void key_job_start(struct kmsd *kmsd, struct key_job *job)
{
    job->kmsd = kmsd;
    job->retry_ns = INT64_MIN;
    struct job j = {.name = job->name, .due = due, .run = run, .arg = job};
    scheduler_add(kmsd->daemon->scheduler, &j);
}
