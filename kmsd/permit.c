// Authorization of calls: between dispatch (which walks the steps) and authz.c (which decides).
#include "kmsd/permit.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/ops.h"

// Source: AWS KMS External Key Store Proxy API specification, "Error codes".
#define EXTERNAL_STORE_CUT_OFF                                                                                         \
    "This KMS key is in a custom key store that is not connected to its external key store proxy. Connect the "        \
    "external key store and try the request again."

static const char *action_of(const struct call *call)
{
    const struct kms_params *p = call->params;
    return p->action ? p->action : call->op->action;
}

static const struct fault *read_tokens(struct call *call, const struct span_list *tokens, struct authz_question *q)
{
    const struct root_key *root = keyring_root(kmsd_of(call)->keyring);
    for (size_t i = 0; i < tokens->n && i < KMS_GRANT_TOKENS_MAX; i++)
        if (!grant_token_read(root, tokens->v[i], q->tokens[q->tokens_n++]))
            return &fault_invalid_grant_token;
    return NULL;
}

// The list of signed headers is itself covered by the signature.
static bool is_signed(const struct call *call, const char *name)
{
    struct span authorization = call_header(call, "authorization");
    static const char start[] = "SignedHeaders=";
    const char *at = authorization.n ? memmem(authorization.p, authorization.n, start, sizeof start - 1) : NULL;
    if (!at)
        return false;
    at += sizeof start - 1;
    const char *end = authorization.p + authorization.n;
    while (at < end && *at != ',' && *at != ' ') {
        const char *word = at;
        while (at < end && *at != ';' && *at != ',' && *at != ' ')
            at++;
        if (span_is((struct span){word, (size_t)(at - word)}, name))
            return true;
        if (at < end && *at == ';')
            at++;
    }
    return false;
}

// Only a service can say for which resource of its own it calls; a grant's SourceArn constraint is about that.
static const char *source_arn(struct call *call)
{
    struct span source = call_header(call, "x-amz-source-arn");
    if (!call->caller.via || !source.p || !is_signed(call, "x-amz-source-arn"))
        return NULL;
    return arena_strndup(&call->arena, source.p, source.n);
}

const struct fault *permit_question(struct call *call, const struct key *key, struct authz_question *q)
{
    const struct kms_op *ext = call->op->ext;
    const struct kms_params *p = call->params;
    const struct kmsd *kmsd = kmsd_of(call);
    *q = (struct authz_question){
        .caller = call->caller.principal,
        .account = call->account,
        .on_behalf = call->caller.via && call->caller.principal->type != PRINCIPAL_SERVICE,
        .via_service = call->caller.via_service,
        .service_principal = call->caller.service_principal,
        .action = action_of(call),
        .resource = key ? key->arn : "*",
        .key = key,
        .operation = ext->grant,
        .context = &p->context,
        .attestation = p->recipient.attestation,
        .grant_management = ext->grant_management,
        .now_ns = call->time_ns,
        .grant_delay_ns = kmsd->grant_delay_ns,
        .context_case = keyring_context_case(kmsd->keyring),
    };
    q->source_arn = source_arn(call);
    return read_tokens(call, &p->grant_tokens, q);
}

const struct fault *permit_deny(struct call *call, const struct decision *d, const char *action, const char *resource)
{
    struct buf text;
    call->decision = *d;
    buf_init(&text, 4096);
    decision_sentence(d, call->caller.principal, action, resource, &text);
    const char *sentence = buf_str(&text);
    const struct fault *fault = call_fault(call, &fault_access_denied, "%s", sentence ? sentence : "");
    buf_done(&text);
    return fault;
}

const struct fault *permit_unknown(struct call *call, const char *resource)
{
    struct decision d = {.reason = DECISION_UNKNOWN_RESOURCE};
    return permit_deny(call, &d, action_of(call), resource);
}

// named: the resource for the sentence.
static const struct fault *ask(struct call *call, const struct authz_question *q, const char *named)
{
    struct decision d;
    authz_decide(q, &d);
    if (d.sid)
        d.sid = arena_strdup(&call->arena, d.sid); // the policy may be replaced
    call->decision = d;
    if (decision_allows(&d))
        return NULL;
    // Whether another account's key is there, or what its policy says, is not for this caller to know.
    struct decision told = d;
    bool foreign = q->key && strcmp(q->key->account, call->account) != 0;
    if (foreign && (d.reason == DECISION_NO_RESOURCE_POLICY || d.reason == DECISION_DENY_RESOURCE_POLICY))
        told.reason = DECISION_UNKNOWN_RESOURCE;
    const struct fault *fault = permit_deny(call, &told, q->action, named);
    call->decision = d;
    return fault;
}

const struct fault *permit_ask(struct call *call, const struct authz_question *q, bool by_ciphertext)
{
    return ask(call, q, by_ciphertext ? NULL : q->resource);
}

const struct fault *permit_state(struct call *call, const struct key *key)
{
    const struct kms_op *ext = call->op->ext;
    const char *phrase;
    if (ext->usages && !(ext->usages >> key->usage & 1))
        return call_fault(call, &fault_invalid_key_usage, "%s key usage is %s which is not valid for %s.", key->arn,
                          key_usage_names[key->usage], call->op->name);
    if (ext->origins && !(ext->origins >> key->origin & 1))
        return call_fault(call, &fault_unsupported, "%s origin is %s which is not valid for this operation.", key->arn,
                          key_origin_names[key->origin]);
    enum key_state state = key_shown_state(key);
    const struct fault *fault = key_state_check(ext->rule, state, &phrase);
    if (fault && state == KEY_UNAVAILABLE && key->origin == ORIGIN_EXTERNAL_KEY_STORE)
        return call_fault(call, fault, "%s", EXTERNAL_STORE_CUT_OFF);
    return fault ? call_fault(call, fault, "%s %s", key->arn, phrase) : NULL;
}

const struct fault *permit_call(struct call *call)
{
    struct key *key = call->subject;
    struct authz_question q;
    const struct fault *fault = permit_question(call, key, &q);
    if (!fault)
        fault = permit_ask(call, &q, false);
    if (!fault && key)
        fault = permit_state(call, key);
    return fault;
}

const struct fault *permit_new_key(struct call *call, bool tagged)
{
    struct authz_question q;
    const struct fault *fault = permit_question(call, NULL, &q);
    q.action = "kms:CreateKey";
    if (!fault)
        fault = permit_ask(call, &q, false);
    q.action = "kms:TagResource";
    return fault || !tagged ? fault : ask(call, &q, ""); // there is no key yet that AWS could name
}

const struct fault *permit_dry_run(struct call *call)
{
    const struct kms_params *p = call->params;
    return p->dry_run.v ? &fault_dry_run : NULL;
}
