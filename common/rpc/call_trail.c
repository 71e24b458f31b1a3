// From a finished call to its trail record: fills the record's members from the call and the operation's row, and
// stages it in the worker's journal. Called by call_finish() only.
#include <string.h>

#include "common/rpc/call_internal.h"
#include "common/rpc/daemon.h"
#include "common/rpc/worker.h"

static struct trail_identity user_identity(const struct principal *p)
{
    struct trail_identity who = {
        .principal_id = p->principal_id,
        .arn = p->arn,
        .account_id = p->account,
        .access_key_id = p->access_key_id,
    };
    switch (p->type) {
    case PRINCIPAL_ROOT:
        who.type = TRAIL_ROOT;
        break;
    case PRINCIPAL_USER:
        who.type = TRAIL_IAM_USER;
        who.user_name = p->name;
        break;
    case PRINCIPAL_ROLE_SESSION:
        who.type = TRAIL_ASSUMED_ROLE;
        who.role_id = p->role_id;
        who.role_arn = p->role_arn;
        who.role_name = p->role_name;
        who.session_start_ns = p->session_start_ns;
        break;
    case PRINCIPAL_SERVICE:
        who = (struct trail_identity){.type = TRAIL_AWS_SERVICE};
        break;
    }
    return who;
}

static void write_request(struct json_write *w, void *arg)
{
    struct call *call = arg;
    if (!call->op || !call->json)
        json_none(w);
    else if (call->op->trail_request)
        call->op->trail_request(w, call);
    else
        param_write_trail(w, call->op->params, call->json);
}

static void write_response(struct json_write *w, void *arg)
{
    struct call *call = arg;
    if (call->fault || !call->op || !call->op->trail_response)
        json_none(w);
    else
        call->op->trail_response(w, call);
}

static void write_additional(struct json_write *w, void *arg)
{
    struct call *call = arg;
    call->op->trail_additional(w, call);
}

static void fill_outcome(struct call *call, struct trail_event *e)
{
    if (!call->fault)
        return;
    bool denied = call->fault == call->service->access_denied;
    e->error_code = denied ? "AccessDenied" : call->fault->code;
    const char *detail = call->trail_detail ? call->trail_detail : call->detail;
    e->error_message = span_of(detail ? detail : call->fault->message);
}

static void fill_source(struct call *call, struct trail_event *e)
{
    if (call->caller.via) {
        e->identity.invoked_by = call->caller.service_principal;
        e->source_ip = call->caller.service_principal;
        e->user_agent = span_of(call->caller.service_principal);
        return;
    }
    struct span host = call_header(call, "host");
    e->source_ip = arena_strndup(&call->arena, call->request.peer.p, call->request.peer.n);
    e->user_agent = call_header(call, "user-agent");
    e->client_host = host.p ? arena_strndup(&call->arena, host.p, host.n) : NULL;
}

// Of operations that are not built, by the verbs of the two APIs; using a key changes nothing.
static bool read_only_by_name(const char *name)
{
    static const char *const verbs[] = {"Get", "List", "Describe", "Generate", "Sign", "Verify", "Derive"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strncmp(name, verbs[i], strlen(verbs[i])) == 0)
            return true;
    return false;
}

static void fill_event(struct call *call, struct trail_event *e)
{
    const struct op *op = call->op;
    *e = (struct trail_event){
        .identity = user_identity(call->caller.principal),
        .time_ns = clock_now_ns(call->daemon->clock),
        .source = call->service->event_source,
        .name = call->op_name,
        .region = call->region,
        .write_request = write_request,
        .write_response = write_response,
        .arg = call,
        .request_id = call->request_id,
        .read_only = op ? op->read_only : read_only_by_name(call->op_name),
        .resources = call->resources,
        .resources_n = call->resources_n,
        .has_resources = call->resources_n > 0 || (op && op->no_resources),
        .api_version = call->service->api_version,
        .management = !op_is_data_event(call->service, op, call->op_name),
        .recipient_account = call->account,
        .shared_event_id = call->shared_event_id,
    };
    if (op && op->trail_additional && op->trail_additional(NULL, call))
        e->write_additional = write_additional;
    fill_outcome(call, e);
    fill_source(call, e);
}

// The event's id goes to the resources of the account that gets the record.
static void note_event(struct call *call, const struct trail_event *e)
{
    call->recorded_ns = e->time_ns;
    for (size_t i = 0; i < call->resources_n; i++)
        if (strcmp(call->resources[i].account_id, e->recipient_account) == 0)
            memcpy(call->event_ids[i], e->event_id, UUID_TEXT_SIZE);
}

static bool stage(struct call *call, struct trail_event *e)
{
    struct worker *w = call->worker;
    char event_id[UUID_TEXT_SIZE];
    id_uuid(call->daemon->rng, event_id);
    e->event_id = event_id;
    buf_reset(&w->record, 64 * 1024);
    if (!trail_record_write(&w->record, e))
        return false;
    struct journal_entry entry = {.time_ns = e->time_ns, .json = buf_span(&w->record)};
    memcpy(entry.account, e->recipient_account, 13);
    snprintf(entry.region, sizeof entry.region, "%s", e->region);
    note_event(call, e);
    return journal_append(w->journal, &entry);
}

// The owner's copy of a call on a key of another account. A service shows itself as such to both.
// Source: KMS Developer Guide, "Logging … cross-account".
static bool stage_owner_copy(struct call *call, struct trail_event *e, const char *owner)
{
    if (e->identity.type != TRAIL_AWS_SERVICE)
        e->identity = (struct trail_identity){
            .type = TRAIL_AWS_ACCOUNT,
            .principal_id = call->caller.principal->principal_id,
            .account_id = call->account,
            .invoked_by = e->identity.invoked_by,
        };
    e->recipient_account = owner;
    return stage(call, e);
}

static void write_request_elsewhere(struct json_write *w, void *arg)
{
    struct call *call = arg;
    call->elsewhere->write_request(w, call);
}

static void write_response_elsewhere(struct json_write *w, void *arg)
{
    struct call *call = arg;
    call->elsewhere->write_response(w, call);
}

static bool stage_elsewhere(struct call *call, const struct trail_event *here)
{
    const struct call_elsewhere *at = call->elsewhere;
    struct trail_event e = *here;
    e.region = at->region;
    e.name = at->name;
    e.identity.invoked_by = at->invoked_by;
    e.from_caller = true;
    e.client_host = NULL;
    e.write_request = write_request_elsewhere;
    e.write_response = write_response_elsewhere;
    e.write_additional = NULL;
    e.resources = &at->resource;
    e.resources_n = 1;
    e.has_resources = at->resource.arn != NULL;
    return stage(call, &e);
}

// The other accounts whose keys a call used, each once. Only ReEncrypt is about two keys. A refused call is nobody's
// affair but the caller's.
static size_t foreign_owners(const struct call *call, const char *owners[CALL_RESOURCES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < call->resources_n && !call->fault; i++) {
        const char *owner = call->resources[i].account_id;
        if (strcmp(owner, call->account) != 0 && (n == 0 || strcmp(owner, owners[0]) != 0))
            owners[n++] = owner;
    }
    return n;
}
_Static_assert(CALL_RESOURCES_MAX == 2, "foreign_owners() compares with one earlier owner");

bool call_record(struct call *call)
{
    if (!call->worker->journal || !call->caller.principal || op_is_data_event(call->service, call->op, call->op_name))
        return true;
    const char *owners[CALL_RESOURCES_MAX];
    size_t owners_n = foreign_owners(call, owners);
    if (owners_n && !call->shared_event_id) {
        char *shared = arena_alloc(&call->arena, UUID_TEXT_SIZE);
        id_uuid(call->daemon->rng, shared);
        call->shared_event_id = shared;
    }
    struct trail_event e;
    fill_event(call, &e);
    bool ok = stage(call, &e);
    if (call->elsewhere && !call->fault)
        ok = ok && stage_elsewhere(call, &e);
    for (size_t i = 0; i < owners_n; i++)
        ok = ok && stage_owner_copy(call, &e, owners[i]);
    return ok;
}
