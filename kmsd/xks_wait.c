// The waiting itself: what hangs on call->state meanwhile. Asked by seal.c, op_create_key.c and op_create_key_store.c.
#include "kmsd/xks_wait.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/rpc/worker.h"
#include "kmsd/call_state.h"
#include "kmsd/faults.h"
#include "kmsd/xks_client.h"

struct slot {
    bool over;
    unsigned char question[SHA256_SIZE];
    struct span plaintext; // wiped with the call
    struct xks_reply reply;
};

struct waiting {
    struct call_state base;
    struct call *call;
    struct slot slots[XKS_SLOTS];
    struct slot *open; // the one that is being waited for
};

static void waiting_free(struct call_state *state)
{
    struct waiting *w = (struct waiting *)state;
    for (size_t i = 0; i < XKS_SLOTS; i++)
        xks_reply_done(&w->slots[i].reply);
    free(w);
}

static struct slot *slot_of(struct call *call, enum xks_slot slot)
{
    struct waiting *w = call->state;
    if (!w) {
        w = calloc(1, sizeof *w);
        if (!w)
            abort();
        w->base.free = waiting_free;
        w->call = call;
        call->state = w;
    }
    return &w->slots[slot];
}

static void on_reply(void *arg, struct xks_reply *r)
{
    struct waiting *w = arg;
    struct slot *slot = w->open;
    slot->reply = *r;
    r->bytes = (struct secret){0};
    slot->over = true;
    call_restart(w->call);
}

// What makes two questions the same, whoever's plaintext they are about.
static void question_of(const struct key_store *store, const struct xks_request *q, unsigned char out[SHA256_SIZE])
{
    const char *const texts[] = {store->id,
                                 store->proxy.endpoint,
                                 store->proxy.path,
                                 store->proxy.access_key_id,
                                 q->xks_key_id ? q->xks_key_id : "",
                                 q->origin.key_arn ? q->origin.key_arn : ""};
    struct buf b;
    buf_init(&b, XKS_BODY_MAX);
    buf_append_char(&b, (char)q->api);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        buf_append(&b, texts[i], strlen(texts[i]) + 1);
    buf_append(&b, secret_span(&store->proxy.secret_key).p, store->proxy.secret_key.n);
    buf_append_span(&b, q->context);
    buf_append_span(&b, q->sealed.bytes);
    if (!buf_ok(&b))
        abort();
    sha256(buf_span(&b), out);
    buf_wipe(&b);
}

static void fill_origin(const struct call *call, struct xks_origin *o)
{
    const struct caller *c = &call->caller;
    o->operation = call->op->name;
    o->request_id = call->request_id;
    o->principal_arn = c->principal == c->via ? c->service_principal : c->principal->arn;
    o->via_service = c->principal == c->via ? NULL : c->via_service;
}

const struct fault *xks_fault(struct call *call, enum xks_purpose purpose, enum xks_failure failure)
{
    const struct xks_failure_row *row = &xks_failures[failure];
    const struct fault *const faults[] = {
        [XKS_MANAGING] = row->managing, [XKS_CREATING] = row->creating, [XKS_USING] = &fault_invalid_state};
    return call_fault(call, faults[purpose], "%s", row->sentence);
}

void xks_wait_plaintext(struct call *call, enum xks_slot slot, struct span *plaintext)
{
    struct slot *s = slot_of(call, slot);
    if (s->plaintext.p)
        *plaintext = s->plaintext;
    else
        s->plaintext = *plaintext;
}

const struct fault *xks_wait(struct call *call, enum xks_slot slot, enum xks_purpose purpose,
                             const struct key_store *store, struct xks_request *q, const struct xks_reply **reply)
{
    unsigned char question[SHA256_SIZE];
    struct slot *s = slot_of(call, slot);
    struct waiting *w = call->state;
    question_of(store, q, question);
    if (s->over && memcmp(question, s->question, sizeof question) == 0) {
        *reply = &s->reply;
        return s->reply.failure == XKS_OK ? NULL : xks_fault(call, purpose, s->reply.failure);
    }
    xks_reply_done(&s->reply);
    s->over = false;
    memcpy(s->question, question, sizeof question);
    w->open = s;
    fill_origin(call, &q->origin);
    xks_client_call(call->worker->ext, store, q, on_reply, w);
    return &call_pending;
}
