// The walk of a call: a static array of steps, the first fault ends it; call_finish() is the only way out. Called by
// worker.c for requests that came over HTTP, and by whatever else makes calls.
#include "common/rpc/dispatch.h"

#include <string.h>

#include "common/base/json_read.h"
#include "common/base/log.h"
#include "common/rpc/call_internal.h"
#include "common/rpc/daemon.h"
#include "common/rpc/worker.h"

static const struct fault *match_operation(struct call *call)
{
    const struct service *service = call->service;
    struct span target = call_header(call, "x-amz-target");
    if (!span_is(call->request.method, "POST") || !target.p || !span_starts(target, service->target_prefix))
        return service->unknown_operation;
    size_t prefix = strlen(service->target_prefix);
    struct span name = {target.p + prefix, target.n - prefix};
    call->op = op_find(service, name);
    call->op_name = call->op ? call->op->name : op_find_unbuilt(service, name);
    return call->op_name ? NULL : service->unknown_operation;
}

// Before anything is changed it must be certain that the call can be recorded, and as good as certain that its change
// can be stored where there is no way back: the trail would tell of a change that is not there.
static const struct fault *reserve_record(struct call *call)
{
    if (call->worker->journal && !journal_reserve(call->worker->journal))
        return call->service->unavailable;
    if (call->service->commit_is_final && call->op && call->op->changes && !store_has_room(call->daemon->store))
        return call->service->internal;
    return NULL;
}

static void *wiped_alloc(void *arg, size_t n)
{
    return call_secret_alloc(arg, n);
}

static const struct fault *parse_body(struct call *call)
{
    struct span body = call->request.body;
    call->json = body.n ? json_read(body, NULL, 0) : json_object();
    if (!json_is_object(call->json))
        return call->service->serialization;
    if (!call->op)
        return call_fault(call, call->service->unsupported_operation, "%s is not supported", call->op_name);
    call->params = arena_alloc(&call->arena, call->op->params_size + 1);
    if (!call->op->params)
        return NULL;
    struct param_context context = {
        .arena = &call->arena,
        .wiped_alloc = wiped_alloc,
        .arg = call,
        .validation = call->service->validation,
        .serialization = call->service->serialization,
    };
    const struct fault *fault = param_read(&context, call->op->params, call->json, call->params);
    if (fault) {
        call->detail = context.detail;
        call->trail_detail = context.trail_detail;
    }
    return fault;
}

static const struct fault *enter_service(struct call *call)
{
    if (!call->service->enter)
        return NULL;
    const struct fault *fault = call->service->enter(call);
    call->entered = !fault;
    return fault;
}

static void leave_service(struct call *call)
{
    if (call->entered && call->service->leave)
        call->service->leave(call);
    call->entered = false;
}

static const struct fault *resolve_resource(struct call *call)
{
    return call->op->resolve ? call->op->resolve(call) : NULL;
}

// It may suspend the call, which then comes here once more.
static const struct fault *tamper(struct call *call)
{
    if (!call->service->tamper || call->tampered)
        return NULL;
    call->tampered = true;
    return call->service->tamper(call);
}

static const struct fault *authorize(struct call *call)
{
    return call->op->authorize ? call->op->authorize(call) : call->service->authorize(call);
}

static const struct fault *invoke(struct call *call)
{
    return call->op->invoke(call);
}

static call_step *const steps[] = {
    match_operation,  authenticate, reserve_record, parse_body, enter_service,
    resolve_resource, tamper,       authorize,      invoke,
};

#define STEPS_N (sizeof steps / sizeof steps[0])

static void walk(struct call *call)
{
    while (call->step < STEPS_N) {
        const struct fault *fault = steps[call->step](call);
        if (fault == &call_pending) {
            call->suspended = true;
            call->worker->suspended_n++;
            leave_service(call); // nobody waits for this call meanwhile
            return;
        }
        call->step++;
        call->fault = fault;
        if (fault)
            break;
    }
    call_finish(call);
}

void call_run(struct call *call)
{
    walk(call);
}

static void wake(struct call *call)
{
    call->suspended = false;
    call->worker->suspended_n--;
}

void call_resume(struct call *call, const struct fault *fault)
{
    wake(call);
    call->fault = fault;
    call->step++;
    if (fault)
        call_finish(call);
    else
        walk(call);
}

void call_retry(struct call *call)
{
    wake(call);
    walk(call);
}

void call_restart(struct call *call)
{
    call->step = 0;
    while (steps[call->step] != enter_service)
        call->step++;
    call->resources_n = 0;
    call->subject = call->subject2 = NULL;
    buf_wipe(&call->reply); // what the step had begun to write
    json_write_init(&call->out, &call->reply);
    wake(call);
    call->fault = reserve_record(call); // what was reserved at first is long used up
    if (call->fault)
        call_finish(call);
    else
        walk(call);
}

struct call *call_new(struct worker *worker, const struct call_request *request, void (*done)(struct call *, void *),
                      void *arg)
{
    struct call *call = worker_take_call(worker);
    call->daemon = worker->daemon;
    call->worker = worker;
    call->service = worker->daemon->spec->service;
    call->request = *request;
    call->time_ns = clock_now_ns(worker->daemon->clock);
    call->done = done;
    call->done_arg = arg;
    if (call->service->long_request_ids)
        id_dynamodb_request(worker->daemon->rng, call->request_id);
    else
        id_uuid(worker->daemon->rng, call->request_id);
    json_write_init(&call->out, &call->reply);
    return call;
}

static void log_outcome(const struct call *call)
{
    const char *name = call->op_name ? call->op_name : "-";
    if (!call->fault)
        log_debug("%s %s ok", call->request_id, name);
    else if (call->fault->status >= 500)
        log_error("%s %s %s", call->request_id, name, call->fault->code);
    else
        log_info("%s %s %s", call->request_id, name, call->fault->code);
}

void call_finish(struct call *call)
{
    call->finished = true;
    if (!call->fault && !buf_ok(&call->reply))
        call->fault = call->service->internal;
    // When the record could not be reserved there is none, and nothing was done.
    if (call->fault != call->service->unavailable && !call_record(call)) {
        call->worker->journal_failed |= call->needs_commit; // what was changed must not last
        call->fault = call->service->unavailable;
        call->detail = NULL;
    }
    // Before the service is left, which may write the record: whose record is written is told from this list.
    worker_queue_finished(call->worker, call);
    leave_service(call);
    log_outcome(call);
}

int call_reply_status(const struct call *call)
{
    return call->fault ? call->fault->status : 200;
}

struct span call_reply_body(struct call *call)
{
    if (!call->fault)
        return buf_span(&call->reply);
    const struct fault *fault = call->fault;
    const char *prefix = fault->prefix ? fault->prefix : call->service->fault_prefix;
    buf_wipe(&call->reply);
    json_write_init(&call->out, &call->reply);
    struct json_write *w = &call->out;
    json_obj_begin(w);
    json_key(w, "__type");
    json_cstr(w, arena_printf(&call->arena, "%s%s", prefix ? prefix : "", fault->code));
    json_kcstr(w, fault->member ? fault->member : "message", call->detail ? call->detail : fault->message);
    json_obj_end(w);
    return buf_span(&call->reply);
}
