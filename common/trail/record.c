// Writes one CloudTrail record, streaming, in the order of real log files. Called by rpc at the end of every call and
// by kmsd for service events; what an operation may show of its parameters is the operation's affair (the callbacks).
// Order, names and limits: CloudTrail User Guide, "CloudTrail record contents", eventVersion 1.11.
#include "common/trail/record.h"

#include <string.h>

#include "common/base/time_format.h"
#include "common/trail/journal_format.h"

// Sizes at which CloudTrail truncates a text or leaves a structure out.
#define TEXT_MAX 1024
#define PARAMETERS_MAX (100 * 1024)
#define ADDITIONAL_MAX (28 * 1024)

// What is left out, in this order, when a whole event would be too large.
enum { WHOLE, WITHOUT_RESPONSE, WITHOUT_REQUEST, WITHOUT_ADDITIONAL, LEVELS };

// A literal: no length to find, no character to escape. With the comma before it; every place that uses it follows a
// finished value.
#define PUT(w, text) buf_append((w)->b, "" text, sizeof(text) - 1)

// At most TEXT_MAX bytes, not cutting a UTF-8 sequence.
static struct span truncated(struct span text)
{
    if (text.n <= TEXT_MAX)
        return text;
    size_t n = TEXT_MAX;
    for (int back = 0; back < 3 && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80; back++)
        n--;
    return (struct span){text.p, n};
}

static void put_text(struct json_write *w, const char *key, struct span text)
{
    if (text.p)
        json_kstr(w, key, truncated(text));
}

static void put_time(struct json_write *w, const char *key, int64_t ns)
{
    char text[TIME_ISO_SIZE];
    time_iso(ns, text);
    json_kstr(w, key, (struct span){text, TIME_ISO_SIZE - 1});
}

// Source: User Guide, "CloudTrail userIdentity element", example of a role session.
static void put_session(struct json_write *w, const struct trail_identity *who)
{
    json_key(w, "sessionContext");
    json_obj_begin(w);
    json_key(w, "sessionIssuer");
    json_obj_begin(w);
    json_kcstr(w, "type", "Role");
    json_kcstr(w, "principalId", who->role_id);
    json_kcstr(w, "arn", who->role_arn);
    json_kcstr(w, "accountId", who->account_id);
    json_kcstr(w, "userName", who->role_name);
    json_obj_end(w);
    json_key(w, "attributes");
    json_obj_begin(w);
    put_time(w, "creationDate", who->session_start_ns);
    json_kcstr(w, "mfaAuthenticated", "false"); // a string, as in real records
    json_obj_end(w);
    json_obj_end(w);
}

static void put_principal(struct json_write *w, const struct trail_identity *who)
{
    json_kcstr(w, "principalId", who->principal_id);
    if (who->type != TRAIL_AWS_ACCOUNT)
        json_kcstr(w, "arn", who->arn);
    json_kcstr(w, "accountId", who->account_id);
    if (who->type != TRAIL_AWS_ACCOUNT)
        json_kcstr(w, "accessKeyId", who->access_key_id);
    if (who->type == TRAIL_IAM_USER)
        json_kcstr(w, "userName", who->user_name);
    if (who->type == TRAIL_ASSUMED_ROLE)
        put_session(w, who);
}

static void put_identity(struct json_write *w, const struct trail_identity *who)
{
    static const char *const types[] = {
        [TRAIL_ROOT] = "Root",
        [TRAIL_IAM_USER] = "IAMUser",
        [TRAIL_ASSUMED_ROLE] = "AssumedRole",
        [TRAIL_AWS_SERVICE] = "AWSService",
        [TRAIL_AWS_ACCOUNT] = "AWSAccount",
        [TRAIL_INTERNAL] = NULL, // service events name no type
    };
    json_obj_begin(w);
    json_kcstr(w, "type", types[who->type]);
    if (who->type == TRAIL_INTERNAL)
        json_kcstr(w, "accountId", who->account_id);
    else if (who->type != TRAIL_AWS_SERVICE)
        put_principal(w, who);
    json_kcstr(w, "invokedBy", who->type == TRAIL_INTERNAL && !who->invoked_by ? "AWS Internal" : who->invoked_by);
    json_obj_end(w);
}

// A call made by a service shows that service instead of an address and a user agent.
static void put_origin(struct json_write *w, const struct trail_event *e)
{
    const char *service = e->identity.type == TRAIL_INTERNAL ? "AWS Internal" : e->identity.invoked_by;
    service = e->from_caller ? NULL : service;
    json_kcstr(w, "sourceIPAddress", service ? service : e->source_ip);
    put_text(w, "userAgent", service ? span_of(service) : e->user_agent);
}

typedef void write_value(struct json_write *w, void *arg);

// One value of the operation's own. False, and nothing is written, when it is larger than max (or fills the buffer).
static bool put_bounded(struct json_write *w, write_value *write, void *arg, size_t max)
{
    size_t start = w->b->len;
    bool comma = w->comma;
    if (!write || !buf_ok(w->b))
        return false;
    write(w, arg);
    if (buf_ok(w->b) && w->b->len - start <= max)
        return true;
    w->b->failed = false;
    w->b->len = start;
    w->comma = comma;
    return false;
}

static void put_parameters(struct json_write *w, const char *key, write_value *write, void *arg)
{
    json_key(w, key);
    if (!put_bounded(w, write, arg, PARAMETERS_MAX))
        json_none(w);
}

// A member that is absent when there is nothing to show.
static void put_optional(struct json_write *w, const char *key, write_value *write, void *arg, size_t max)
{
    size_t start = w->b->len;
    bool comma = w->comma;
    if (!write || !buf_ok(w->b))
        return;
    json_key(w, key);
    if (put_bounded(w, write, arg, max) || !buf_ok(w->b))
        return;
    w->b->len = start;
    w->comma = comma;
}

static void put_resources(struct json_write *w, const struct trail_event *e)
{
    if (!e->has_resources)
        return;
    json_key(w, "resources");
    json_arr_begin(w);
    for (size_t i = 0; i < e->resources_n; i++) {
        json_obj_begin(w);
        json_kcstr(w, "accountId", e->resources[i].account_id);
        json_kcstr(w, "type", e->resources[i].type);
        json_kcstr(w, "ARN", e->resources[i].arn);
        json_obj_end(w);
    }
    json_arr_end(w);
}

static void put_head(struct json_write *w, const struct trail_event *e)
{
    PUT(w, "{\"eventVersion\":\"1.11\",\"userIdentity\":");
    w->comma = false;
    put_identity(w, &e->identity);
    put_time(w, "eventTime", e->time_ns);
    json_kcstr(w, "eventSource", e->source);
    json_kcstr(w, "eventName", e->name);
    json_kcstr(w, "awsRegion", e->region);
    put_origin(w, e);
    put_text(w, "errorCode", span_of(e->error_code));
    put_text(w, "errorMessage", e->error_message);
}

static void put_tail(struct json_write *w, const struct trail_event *e)
{
    put_text(w, "requestID", span_of(e->request_id));
    json_kcstr(w, "eventID", e->event_id);
    json_kbool(w, "readOnly", e->read_only);
    put_resources(w, e);
    json_kcstr(w, "eventType", e->service_event ? "AwsServiceEvent" : "AwsApiCall");
    json_kcstr(w, "apiVersion", e->api_version);
    json_kbool(w, "managementEvent", e->management);
    json_kcstr(w, "recipientAccountId", e->recipient_account);
    json_kcstr(w, "sharedEventID", e->shared_event_id);
    put_optional(w, "serviceEventDetails", e->write_service_details, e->arg, PARAMETERS_MAX);
    json_kcstr(w, "eventCategory", e->management ? "Management" : "Data");
    // Plain HTTP: the host header is all there is to tell. Never for calls that a service made.
    if (e->client_host && !e->identity.invoked_by && e->identity.type != TRAIL_INTERNAL) {
        json_key(w, "tlsDetails");
        json_obj_begin(w);
        json_kcstr(w, "clientProvidedHostHeader", e->client_host);
        json_obj_end(w);
    }
    json_obj_end(w);
}

static bool put_event(struct buf *b, const struct trail_event *e, int level)
{
    struct json_write w;
    size_t start = b->len;
    json_write_init(&w, b);
    put_head(&w, e);
    put_parameters(&w, "requestParameters", level < WITHOUT_REQUEST ? e->write_request : NULL, e->arg);
    // A call that failed returned nothing but its error.
    put_parameters(&w, "responseElements", level < WITHOUT_RESPONSE && !e->error_code ? e->write_response : NULL,
                   e->arg);
    put_optional(&w, "additionalEventData", level < WITHOUT_ADDITIONAL ? e->write_additional : NULL, e->arg,
                 ADDITIONAL_MAX);
    put_tail(&w, e);
    return buf_ok(b) && b->len - start <= JOURNAL_JSON_MAX;
}

bool trail_record_write(struct buf *b, const struct trail_event *e)
{
    size_t start = b->len;
    if (!buf_ok(b))
        return false;
    for (int level = WHOLE; level < LEVELS; level++) {
        if (put_event(b, e, level))
            return true;
        b->len = start;
        b->failed = false;
    }
    b->failed = true;
    return false;
}
