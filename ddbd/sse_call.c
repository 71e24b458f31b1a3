// The asynchronous part of CreateTable and UpdateTable, in the call's worker: DescribeKey, Decrypt of the old table
// key, CreateGrant. op_table.c and op_update_table.c call it; what follows in the background is sse_work.c's.
#include "ddbd/sse_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddbd/ddbd.h"
#include "ddbd/faults.h"
#include "ddbd/kms_client.h"
#include "ddbd/retire.h"

enum step {
    STEP_DESCRIBE,       // the new key, as the caller
    STEP_OLD_AS_SERVICE, // the old table key, through the service's grant …
    STEP_OLD_AS_CALLER,  // … and, when that was revoked, with the caller's own right
    STEP_GRANT_1,        // on the new key, as the caller
    STEP_GRANT_2,
    STEP_END,
};

static void advance(struct sse_call *s);

static bool step_applies(const struct sse_call *s, int step)
{
    switch (step) {
    case STEP_OLD_AS_SERVICE:
        return s->changing && s->changing->key.kind == SSE_KMS;
    case STEP_OLD_AS_CALLER:
        return s->changing && s->changing->key.kind == SSE_KMS && !s->old_key.n;
    default:
        return s->wish.kind == SSE_KMS;
    }
}

static void finish(struct sse_call *s, const struct fault *fault, const char *detail)
{
    s->finished = true;
    s->fault = fault;
    s->detail = detail ? arena_strdup(&s->call->arena, detail) : NULL;
    if (fault)
        sse_call_undo(s);
    call_retry(s->call);
}

static void take_result(struct sse_call *s, struct kms_reply *r)
{
    switch (s->step) {
    case STEP_DESCRIBE:
        memcpy(s->key_arn, r->key_arn, sizeof s->key_arn);
        break;
    case STEP_OLD_AS_SERVICE:
    case STEP_OLD_AS_CALLER:
        secret_take(&s->old_key, &r->plaintext);
        break;
    default:
        memcpy(s->grants[s->step - STEP_GRANT_1], r->grant_id, sizeof *s->grants);
        free(s->grant_token);
        s->grant_token = strdup(r->grant_token);
    }
}

static bool result_complete(const struct sse_call *s, const struct kms_reply *r)
{
    switch (s->step) {
    case STEP_DESCRIBE:
        return r->key_arn[0];
    case STEP_OLD_AS_SERVICE:
    case STEP_OLD_AS_CALLER:
        return r->plaintext.n == KEY_SIZE;
    default:
        return r->grant_id[0];
    }
}

static void on_reply(void *arg, struct kms_reply *r)
{
    struct sse_call *s = arg;
    char detail[KMS_DETAIL_SIZE];
    const struct fault *fault = kms_reply_fault(r, detail);
    // A revoked grant is no obstacle while the key is there and the caller may use it (spec 36).
    bool denied = fault == &fault_access_denied && s->step == STEP_OLD_AS_SERVICE;
    if (fault && !denied) {
        finish(s, fault, detail);
        return;
    }
    if (!fault && !result_complete(s, r)) {
        finish(s, &fault_internal, NULL);
        return;
    }
    if (!fault)
        take_result(s, r);
    s->step++;
    advance(s);
}

static void send_step(struct sse_call *s)
{
    const struct call_state *state = s->call->state;
    struct kms_identity who = {state->account, s->call->region, s->call->caller.principal};
    struct kms_context context = {state->name, state->account};
    const char *operation = "CreateGrant";
    char name[UUID_TEXT_SIZE];
    struct buf body;
    buf_init(&body, 8192);
    switch (s->step) {
    case STEP_DESCRIBE:
        operation = "DescribeKey";
        kms_body_describe_key(&body, s->wish.key_id);
        break;
    case STEP_OLD_AS_SERVICE:
        who.user = NULL;
        __attribute__((fallthrough));
    case STEP_OLD_AS_CALLER:
        operation = "Decrypt";
        kms_body_decrypt(&body, (struct span){(const char *)s->changing->key.wrapped, s->changing->key.wrapped_n},
                         &context);
        break;
    default:
        id_uuid(s->call->daemon->rng, name);
        kms_body_create_grant(&body, s->key_arn, s->call->region, &context, name);
    }
    kms_client_call(ddbd_worker_of(s->call)->kms, &who, operation, buf_span(&body), on_reply, s);
    buf_wipe(&body);
}

static void advance(struct sse_call *s)
{
    while (s->step < STEP_END && !step_applies(s, s->step))
        s->step++;
    if (s->step < STEP_END)
        send_step(s);
    else
        finish(s, NULL, NULL);
}

const struct fault *sse_call_run(struct call *call, const struct sse_wish *wish, const struct table_info *changing)
{
    struct call_state *state = call->state;
    struct sse_call *s = state->sse;
    bool kms = wish->kind == SSE_KMS || (changing && changing->key.kind == SSE_KMS);
    if (!s) {
        s = state->sse = calloc(1, sizeof *s);
        if (!s)
            abort();
        *s = (struct sse_call){.call = call, .wish = *wish, .changing = changing, .finished = !kms};
        if (!kms)
            return NULL; // nothing to ask for
        advance(s);
        return &call_pending;
    }
    if (s->fault && s->detail)
        return call_fault(call, s->fault, "%s", s->detail);
    return s->fault;
}

void sse_call_undo(struct sse_call *s)
{
    struct call_state *state = s->call->state;
    for (size_t i = 0; i < TABLE_GRANTS; i++) {
        if (s->grants[i][0])
            retire_add(ddbd_of(s->call)->retire, state->account, s->call->region, s->key_arn, s->grants[i]);
        s->grants[i][0] = '\0';
    }
}

void sse_call_free(struct sse_call *s)
{
    if (!s)
        return;
    secret_done(&s->old_key);
    free(s->grant_token);
    free(s);
}
