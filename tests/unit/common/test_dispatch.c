// A call's way through the steps without a socket: what is refused where, who the caller is, what the trail gets, how a
// handler suspends and goes on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/json_read.h"
#include "common/base/time_format.h"
#include "common/rpc/daemon.h"
#include "common/rpc/daemon_state.h"
#include "common/rpc/dispatch.h"
#include "common/rpc/worker.h"

struct echo_params {
    struct span text;
};

static const struct fault unknown = {.code = "UnknownOperationException", .status = 400};
static const struct fault unsupported = {.code = "UnsupportedOperationException", .status = 400};
static const struct fault validation = {.code = "ValidationException", .status = 400};
static const struct fault serialization = {.code = "SerializationException", .status = 400};
static const struct fault internal = {.code = "InternalFailure", .status = 500};
static const struct fault denied = {.code = "AccessDeniedException", .status = 400, .member = "Message"};

static struct call *suspended;
static int committed, allowed, inside;

static const struct fault *echo(struct call *call)
{
    const struct echo_params *p = call->params;
    json_obj_begin(&call->out);
    json_kstr(&call->out, "Text", p->text);
    json_obj_end(&call->out);
    return NULL;
}

static const struct fault *wait_first(struct call *call)
{
    suspended = call;
    return &call_pending;
}

static const struct fault *change(struct call *call)
{
    call->needs_commit = true;
    return echo(call);
}

static const struct fault *refuse(struct call *call)
{
    return call_fault(call, &denied, "User: %s is not authorized", call->caller.principal->arn);
}

// Begins its work the first time, finds it done the second time.
static const struct fault *begin_or_echo(struct call *call)
{
    assert_int_equal(inside, 1);
    call_add_resource(call, "111122223333", "AWS::KMS::Key", "arn");
    assert_int_equal(call->resources_n, 1);
    if (call->state)
        return echo(call);
    call->state = call;
    suspended = call;
    return &call_pending;
}

static const struct fault *enter(struct call *call)
{
    (void)call;
    inside++;
    return NULL;
}

static void leave(struct call *call)
{
    (void)call;
    inside--;
}

static const struct fault *allow_all(struct call *call)
{
    allowed++;
    call->decision.reason = DECISION_FULL_RIGHTS;
    return NULL;
}

static const struct fault *commit(struct call *call)
{
    (void)call;
    committed++;
    return NULL;
}

static const struct param echo_rows[] = {
    {.name = "Text", .type = PARAM_STRING, .offset = PARAM_AT(echo_params, text), .required = true},
    {0},
};

#define ECHO_ROW .params = echo_rows, .params_size = sizeof(struct echo_params)

static const struct op ops[] = {
    {.name = "Echo", .action = "kms:Echo", ECHO_ROW, .invoke = echo, .read_only = true},
    {.name = "Wait", .action = "kms:Wait", ECHO_ROW, .resolve = wait_first, .invoke = echo},
    {.name = "Begin", .action = "kms:Begin", ECHO_ROW, .invoke = begin_or_echo},
    {.name = "Change", .action = "kms:Change", ECHO_ROW, .invoke = change},
    {.name = "Refuse", .action = "kms:Refuse", ECHO_ROW, .authorize = refuse, .invoke = echo},
    {0},
};

static const char *const unbuilt[] = {"Sign", NULL};

static const struct service service = {
    .name = "kms",
    .event_source = "kms.amazonaws.com",
    .target_prefix = "TrentService.",
    .content_type = "application/x-amz-json-1.1",
    .ops = ops,
    .unbuilt = unbuilt,
    .enter = enter,
    .leave = leave,
    .authorize = allow_all,
    .commit = commit,
    .unknown_operation = &unknown,
    .unsupported_operation = &unsupported,
    .validation = &validation,
    .serialization = &serialization,
    .internal = &internal,
    .access_denied = &denied,
    .unavailable = &internal,
};

static const struct daemon_spec spec = {.program = "kmsd", .service = &service, .max_body = 1 << 20};

struct fixture {
    char dir[64];
    struct daemon d;
    struct worker *w;
    int replies;
    int status;
    char reply[4096];
};

static const char principals[] = "{\"accounts\":{\"111122223333\":{\"users\":{\"alice\":{\"accessKeys\":[{\"id\":"
                                 "\"AKIAALICE\",\"secret\":\"s\"}]}}}}}";

static int setup(void **state)
{
    json_read_setup();
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, P_tmpdir "/test-dispatch-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    char why[512] = "", path[128], service_path[128];
    snprintf(path, sizeof path, "%s/principals.json", f->dir);
    snprintf(service_path, sizeof service_path, "%s/service-credentials", f->dir);
    FILE *file = fopen(path, "w");
    fputs(principals, file);
    fclose(file);
    f->d.spec = &spec;
    f->d.clock = clock_new_virtual(INT64_C(1747773900) * NS_PER_S, 0);
    f->d.rng = rng_new("dispatch");
    struct credentials_options options = {
        .mode = AUTH_STRICT, .default_account = "000000000000", .principals_path = path, .service_path = service_path};
    f->d.credentials = credentials_new(&options, why, sizeof why);
    if (!f->d.credentials)
        fail_msg("%s", why);
    snprintf(path, sizeof path, "%s/journal", f->dir);
    f->d.journal = journal_open(path, TRAIL_SYNC_NEVER, why, sizeof why);
    assert_non_null(f->d.journal);
    f->w = worker_new(&f->d, 0, why, sizeof why);
    assert_non_null(f->w);
    committed = 0;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    worker_free(f->w);
    journal_close(f->d.journal);
    credentials_free(f->d.credentials);
    rng_free(f->d.rng);
    clock_free(f->d.clock);
    daemon_remove_dir(f->dir);
    free(f);
    return 0;
}

static void done(struct call *call, void *arg)
{
    struct fixture *f = arg;
    struct span body = call_reply_body(call);
    f->replies++;
    f->status = call_reply_status(call);
    snprintf(f->reply, sizeof f->reply, "%.*s", (int)body.n, body.p);
}

// One request's texts; they live as long as the call.
struct request {
    char target[64], date[TIME_AMZ_SIZE];
    struct buf authorization;
    struct header headers[8];
    size_t n;
    const char *body;
};

static void add_header(struct request *r, const char *name, const char *value)
{
    r->headers[r->n++] = (struct header){span_of(name), span_of(value)};
}

static void make_request(struct request *r, const char *op, const char *body)
{
    *r = (struct request){.body = body};
    snprintf(r->target, sizeof r->target, "TrentService.%s", op);
    time_amz(clock_real_ns(), r->date);
    buf_init(&r->authorization, 4096);
    add_header(r, "Host", "localhost");
    add_header(r, "X-Amz-Target", r->target);
    add_header(r, "X-Amz-Date", r->date);
}

static void sign(struct request *r, struct span id, struct span secret)
{
    struct sigv4_request s = {SPAN("POST"), SPAN("/"), r->headers, r->n, span_of(r->body)};
    assert_true(sigv4_sign(&s, id, secret, SPAN("us-east-1"), SPAN("kms"), clock_real_ns(), &r->authorization));
    add_header(r, "Authorization", buf_str(&r->authorization));
}

static struct call *send_request(struct fixture *f, struct request *r)
{
    struct call_request request = {
        .method = SPAN("POST"),
        .target = SPAN("/"),
        .headers = r->headers,
        .headers_n = r->n,
        .body = span_of(r->body),
        .peer = SPAN("192.0.2.1"),
    };
    struct call *call = call_new(f->w, &request, done, f);
    call_run(call);
    return call;
}

static void ask(struct fixture *f, const char *op, const char *body)
{
    struct request r;
    make_request(&r, op, body);
    sign(&r, SPAN("AKIAALICE"), SPAN("s"));
    send_request(f, &r);
    worker_turn_end(f->w);
    buf_done(&r.authorization);
}

static void test_success(void **state)
{
    struct fixture *f = *state;
    ask(f, "Echo", "{\"Text\":\"hello\"}");
    assert_int_equal(f->status, 200);
    assert_string_equal(f->reply, "{\"Text\":\"hello\"}");
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    ask(f, "Nonsense", "{}");
    assert_string_equal(f->reply, "{\"__type\":\"UnknownOperationException\"}");
    ask(f, "Sign", "{}");
    assert_string_equal(f->reply,
                        "{\"__type\":\"UnsupportedOperationException\",\"message\":\"Sign is not supported\"}");
    ask(f, "Echo", "{\"Text\":");
    assert_string_equal(f->reply, "{\"__type\":\"SerializationException\"}");
    ask(f, "Echo", "[]");
    assert_string_equal(f->reply, "{\"__type\":\"SerializationException\"}");
    ask(f, "Echo", "");
    assert_non_null(strstr(f->reply, "Value null at 'text'"));
    ask(f, "Refuse", "{\"Text\":\"x\"}");
    assert_string_equal(f->reply, "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: "
                                  "arn:aws:iam::111122223333:user/alice is not authorized\"}");
}

static void test_unsigned_leaves_no_record(void **state)
{
    struct fixture *f = *state;
    struct request r;
    make_request(&r, "Echo", "{\"Text\":\"x\"}");
    send_request(f, &r);
    assert_int_equal(journal_staged(f->w->journal), 0);
    worker_turn_end(f->w);
    assert_non_null(strstr(f->reply, "MissingAuthenticationTokenException"));
    buf_done(&r.authorization);
}

static void test_record_is_staged_before_the_reply(void **state)
{
    struct fixture *f = *state;
    struct request r;
    make_request(&r, "Change", "{\"Text\":\"x\"}");
    sign(&r, SPAN("AKIAALICE"), SPAN("s"));
    send_request(f, &r);
    assert_true(journal_staged(f->w->journal) > 0);
    assert_int_equal(f->replies, 0);
    assert_int_equal(committed, 0);
    worker_turn_end(f->w);
    assert_int_equal(f->replies, 1);
    assert_int_equal(committed, 1);
    assert_int_equal(journal_staged(f->w->journal), 0);
    buf_done(&r.authorization);
}

static void test_suspended_call_goes_on(void **state)
{
    struct fixture *f = *state;
    struct request r;
    make_request(&r, "Wait", "{\"Text\":\"later\"}");
    sign(&r, SPAN("AKIAALICE"), SPAN("s"));
    struct call *call = send_request(f, &r);
    worker_turn_end(f->w);
    assert_int_equal(f->replies, 0);
    assert_ptr_equal(suspended, call);
    call_resume(call, NULL);
    worker_turn_end(f->w);
    assert_string_equal(f->reply, "{\"Text\":\"later\"}");
    call = send_request(f, &r);
    call_resume(call, &internal);
    worker_turn_end(f->w);
    assert_int_equal(f->status, 500);
    buf_done(&r.authorization);
}

static void test_a_call_starts_again(void **state)
{
    struct fixture *f = *state;
    struct request r;
    make_request(&r, "Begin", "{\"Text\":\"slow\"}");
    sign(&r, SPAN("AKIAALICE"), SPAN("s"));
    allowed = 0;
    struct call *call = send_request(f, &r);
    worker_turn_end(f->w);
    assert_int_equal(f->replies, 0);
    assert_int_equal(f->w->suspended_n, 1);
    assert_int_equal(inside, 0);
    assert_int_equal(allowed, 1);
    call_restart(call);
    worker_turn_end(f->w);
    assert_string_equal(f->reply, "{\"Text\":\"slow\"}");
    assert_int_equal(allowed, 2);
    assert_int_equal(inside, 0);
    assert_int_equal(f->w->suspended_n, 0);
    buf_done(&r.authorization);
}

static void ask_as_service(struct fixture *f, const char *header, const char *value, const char *arn)
{
    struct credential c;
    assert_true(credentials_service(f->d.credentials, &c));
    struct request r;
    make_request(&r, "Refuse", "{\"Text\":\"x\"}");
    add_header(&r, header, value);
    if (arn)
        add_header(&r, "x-kmsd-on-behalf-of-arn", arn);
    sign(&r, span_of(c.principal->access_key_id), c.secret);
    send_request(f, &r);
    worker_turn_end(f->w);
    buf_done(&r.authorization);
    principal_unref(c.principal);
}

static void test_services(void **state)
{
    struct fixture *f = *state;
    ask_as_service(f, "x-amz-source-account", "111122223333", NULL);
    assert_non_null(strstr(f->reply, "User: dynamodb.amazonaws.com is not authorized"));
    ask_as_service(f, "x-kmsd-on-behalf-of", "AKIAALICE", "arn:aws:iam::111122223333:user/alice");
    assert_non_null(strstr(f->reply, "User: arn:aws:iam::111122223333:user/alice is not authorized"));
    ask_as_service(f, "x-kmsd-on-behalf-of", "AKIAALICE", "arn:aws:iam::111122223333:user/bob");
    assert_non_null(strstr(f->reply, "is not the one"));
    ask_as_service(f, "x-kmsd-on-behalf-of", "AKIANOBODY", "arn:aws:iam::111122223333:user/bob");
    assert_non_null(strstr(f->reply, "UnrecognizedClientException"));
    ask_as_service(f, "x-amz-source-account", "1111", NULL);
    assert_non_null(strstr(f->reply, "x-amz-source-account"));
}

static void test_users_cannot_speak_for_others(void **state)
{
    struct fixture *f = *state;
    struct request r;
    make_request(&r, "Echo", "{\"Text\":\"x\"}");
    add_header(&r, "x-kmsd-on-behalf-of", "AKIAALICE");
    sign(&r, SPAN("AKIAALICE"), SPAN("s"));
    send_request(f, &r);
    worker_turn_end(f->w);
    assert_non_null(strstr(f->reply, "Only a service may call on behalf of somebody else"));
    buf_done(&r.authorization);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_success, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsigned_leaves_no_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_is_staged_before_the_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_suspended_call_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_call_starts_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_services, setup, teardown),
        cmocka_unit_test_setup_teardown(test_users_cannot_speak_for_others, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
