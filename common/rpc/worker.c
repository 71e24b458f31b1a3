// One worker thread's things, and the end of its turns. daemon.c makes the threads; dispatch.c walks the calls.
#include "common/rpc/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/base/log.h"
#include "common/rpc/admin.h"
#include "common/rpc/call_internal.h"
#include "common/rpc/daemon.h"
#include "common/rpc/dispatch.h"

// A reply of DynamoDB is at most an item of 400 KiB, doubled by escapes; lists of KMS are smaller.
#define REPLY_MAX (8u * 1024 * 1024)
#define RECORD_MAX (512u * 1024)
#define SIGNING_KEYS 256
#define FREE_CALLS_MAX 64
// What a recycled call keeps of its reply buffer.
#define REPLY_KEEP 4096

_Static_assert(sizeof(struct header) == sizeof(struct http_header), "http and auth see the same header fields");

static void reply_over_http(struct call *call, void *arg)
{
    struct http_exchange *x = arg;
    if (call->lose_reply) {
        http_reply_cut(x);
        return;
    }
    struct span body = call_reply_body(call);
    http_reply_begin(x, call_reply_status(call));
    http_reply_header(x, "x-amzn-RequestId", span_of(call->request_id));
    http_reply_header(x, "Content-Type", span_of(call->service->content_type));
    if (call->service->crc32) {
        char crc[10], *end = crc + sizeof crc, *at = end;
        uint32_t v = crc32_of(body);
        do
            *--at = (char)('0' + v % 10);
        while (v /= 10);
        http_reply_header(x, "x-amz-crc32", (struct span){at, (size_t)(end - at)});
    }
    http_reply_body(x, body);
}

static void on_request(struct http_exchange *x, void *arg)
{
    struct worker *w = arg;
    const struct http_request *r = http_exchange_request(x);
    if (admin_dispatch(w, x))
        return;
    struct call_request request = {
        .method = r->method,
        .target = r->target,
        .headers = (const struct header *)r->headers.at,
        .headers_n = r->headers.n,
        .body = r->body,
        .peer = r->peer,
    };
    call_run(call_new(w, &request, reply_over_http, x));
}

// In journal_flush().
static void on_written(void *arg)
{
    struct worker *w = arg;
    for (struct call *call = w->finished; call; call = call->next) {
        bool tell = !call->fault && !call->told && call->event_ids[0][0];
        call->told = true;
        if (tell && call->service->recorded)
            call->service->recorded(call);
    }
}

struct worker *worker_new(struct daemon *daemon, size_t index, char *why, size_t why_size)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->daemon = daemon;
    w->index = index;
    w->finished_tail = &w->finished;
    buf_init(&w->record, RECORD_MAX);
    w->loop = loop_new();
    struct http_limits limits = http_limits_default();
    limits.body_max = daemon->spec->max_body;
    w->http = w->loop ? http_server_new(loop_base(w->loop), &limits, on_request, w) : NULL;
    w->signing_keys = sigv4_cache_new(SIGNING_KEYS);
    if (!w->http || !w->signing_keys) {
        snprintf(why, why_size, "cannot make an event loop: %s", strerror(errno));
        worker_free(w);
        return NULL;
    }
    char name[16];
    snprintf(name, sizeof name, "w%u", (unsigned)index % 1000);
    w->journal = daemon->journal ? journal_writer_new(daemon->journal, name, why, why_size) : NULL;
    if (daemon->journal && !w->journal) {
        worker_free(w);
        return NULL;
    }
    if (w->journal)
        journal_on_written(w->journal, on_written, w);
    return w;
}

static void call_clear(struct call *call)
{
    call_wipe_secrets(call);
    if (call->json)
        json_decref(call->json);
    if (call->caller.principal)
        principal_unref(call->caller.principal);
    if (call->caller.via)
        principal_unref(call->caller.via);
    arena_reset(&call->arena);
    if (call->reply.data)
        explicit_bzero(call->reply.data, call->reply.len);
    buf_reset(&call->reply, REPLY_KEEP);
}

static void call_free(struct call *call)
{
    arena_done(&call->arena);
    buf_wipe(&call->reply);
    free(call);
}

struct call *worker_take_call(struct worker *w)
{
    struct call *call = w->free_calls;
    if (!call) {
        call = calloc(1, sizeof *call);
        if (!call)
            abort();
        arena_init(&call->arena);
        buf_init(&call->reply, REPLY_MAX);
        return call;
    }
    w->free_calls = call->next;
    w->free_calls_n--;
    struct arena arena = call->arena;
    struct buf reply = call->reply;
    *call = (struct call){.arena = arena, .reply = reply};
    return call;
}

static void give_back(struct worker *w, struct call *call)
{
    if (call->service->release)
        call->service->release(call);
    call_clear(call);
    if (w->free_calls_n == FREE_CALLS_MAX) {
        call_free(call);
        return;
    }
    call->next = w->free_calls;
    w->free_calls = call;
    w->free_calls_n++;
}

void worker_queue_finished(struct worker *w, struct call *call)
{
    call->next = NULL;
    *w->finished_tail = call;
    w->finished_tail = &call->next;
}

bool worker_flush_journal(struct worker *w)
{
    if (!w->journal || journal_flush(w->journal))
        return true;
    log_error("the trail's journal cannot be written: %s", strerror(errno));
    w->journal_failed = true;
    return false;
}

// A change that was made in memory but not recorded must never become durable, by whatever hand (the next commit, the
// end in order): the process is over at once and comes back with what is on disk. Rare: the record's space was
// reserved.
static void refuse_unrecorded(struct call *call)
{
    if (!call->needs_commit || (call->op && call->op->data_event))
        return;
    log_error("%s %s cannot be recorded; ending, so that it did not happen", call->request_id, call->op_name);
    _exit(1);
}

void worker_record_change(struct call *call)
{
    if (call->worker->journal_failed || !worker_flush_journal(call->worker))
        refuse_unrecorded(call);
}

// A change that was made in memory and recorded, but not stored, cannot be taken back: the daemon ends, and comes back
// with what is on disk.
static void settle(struct worker *w, struct call *call)
{
    const struct fault *fault = NULL;
    if (w->journal_failed) {
        refuse_unrecorded(call);
        fault = call->service->unavailable;
    } else if (call->needs_commit)
        fault = call->service->commit(call);
    if (!fault)
        return;
    if (call->needs_commit && call->service->commit_is_final) {
        log_error("%s %s was not made durable; ending, so that memory and disk agree again", call->request_id,
                  call->op_name);
        daemon_stop(w->daemon, 1);
    }
    call->fault = fault;
}

void worker_turn_end(void *worker)
{
    struct worker *w = worker;
    if (w->finished) {
        worker_flush_journal(w);
        for (struct call *call = w->finished; call; call = call->next)
            settle(w, call);
        for (struct call *call = w->finished, *next; call; call = next) {
            next = call->next;
            call->done(call, call->done_arg);
            give_back(w, call);
        }
        w->finished = NULL;
        w->finished_tail = &w->finished;
        w->journal_failed = false;
    }
    http_server_flush(w->http);
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (w->http)
        http_server_free(w->http);
    for (struct call *call = w->free_calls, *next; call; call = next) {
        next = call->next;
        call_free(call);
    }
    sigv4_cache_free(w->signing_keys);
    if (w->journal)
        journal_writer_free(w->journal);
    buf_done(&w->record);
    loop_free(w->loop);
    free(w);
}
