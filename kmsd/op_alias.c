// Aliases: CreateAlias UpdateAlias DeleteAlias ListAliases. Each change needs the right on the alias (by identity) and
// on every key that it touches.
#include "kmsd/op_alias.h"

#include <string.h>

#include "kmsd/arn.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/list_page.h"
#include "kmsd/managed_key.h"
#include "kmsd/ops.h"
#include "kmsd/permit.h"
#include "kmsd/quota.h"
#include "kmsd/resolve.h"

#define NAME_PATTERN "^[a-zA-Z0-9:/_-]+$"

#define ROW_NAME                                                                                                       \
    {                                                                                                                  \
        .name = "AliasName", .type = PARAM_STRING, .offset = PARAM_AT(alias_params, name), .required = true, .min = 1, \
        .max = 256, .pattern = NAME_PATTERN, .matches = alias_matches                                                  \
    }

const struct param alias_target_rows[] = {
    ROW_NAME,
    {.name = "TargetKeyId",
     .type = PARAM_STRING,
     .offset = offsetof(struct kms_params, key_id),
     .required = true,
     KEY_ID_FORM},
    {NULL},
};
const struct param alias_name_rows[] = {ROW_NAME, {NULL}};

static const struct fault *check_name(struct call *call)
{
    const struct alias_params *p = call->params;
    char text[512];
    const struct fault *fault = alias_check_name(p->name, text, sizeof text);
    return fault && *text ? call_fault(call, fault, "%s", text) : fault;
}

static const char *alias_arn(struct call *call)
{
    const struct alias_params *p = call->params;
    char arn[KMS_ARN_SIZE];
    return arn_write(arn, span_of(call->region), call->account, p->name) ? arena_strdup(&call->arena, arn) : "";
}

static void add_alias(struct call *call)
{
    call_add_resource(call, call->account, "AWS::KMS::Key", alias_arn(call));
}

static const struct fault *resolve_target(struct call *call)
{
    const struct kms_params *p = call->params;
    struct arn arn;
    struct key *key = NULL;
    if (span_starts(p->key_id, "alias/") || (arn_parse(p->key_id, &arn) && span_starts(arn.resource, "alias/")))
        return call_fault(call, &fault_validation, "Aliases must refer to keys. Not aliases");
    const struct fault *fault = resolve_key_text(call, p->key_id, &key);
    call->subject = key;
    return fault;
}

const struct fault *create_alias_resolve(struct call *call)
{
    const struct fault *fault = check_name(call);
    if (!fault)
        fault = resolve_target(call);
    if (fault)
        return fault;
    resolve_add_key(call, call->subject);
    add_alias(call);
    return NULL;
}

static const struct fault *resolve_name(struct call *call)
{
    const struct alias_params *p = call->params;
    struct alias *a = NULL;
    const struct fault *fault = check_name(call);
    if (!fault)
        fault = resolve_alias(call, p->name, &a);
    if (fault)
        return fault;
    add_alias(call);
    call->subject2 = a;
    return NULL;
}

const struct fault *update_alias_resolve(struct call *call)
{
    const struct fault *fault = resolve_name(call);
    if (!fault)
        fault = resolve_target(call);
    if (!fault)
        resolve_add_key(call, call->subject);
    return fault;
}

const struct fault *delete_alias_resolve(struct call *call)
{
    const struct fault *fault = resolve_name(call);
    if (fault)
        return fault;
    call->subject = ((struct alias *)call->subject2)->key;
    resolve_add_key(call, call->subject);
    return NULL;
}

static const struct fault *ask_for_key(struct call *call, const struct key *key)
{
    struct authz_question q;
    const struct fault *fault = permit_question(call, key, &q);
    return fault ? fault : permit_ask(call, &q, false);
}

const struct fault *alias_authorize(struct call *call)
{
    const struct alias *a = call->subject2;
    struct authz_question q;
    const struct fault *fault = permit_question(call, NULL, &q);
    q.resource = alias_arn(call);
    if (!fault)
        fault = permit_ask(call, &q, false);
    if (!fault && a && a->key != call->subject)
        fault = ask_for_key(call, a->key);
    if (!fault)
        fault = ask_for_key(call, call->subject);
    return fault ? fault : permit_state(call, call->subject);
}

const struct fault *create_alias(struct call *call)
{
    const struct alias_params *p = call->params;
    struct keyring *k = kmsd_of(call)->keyring;
    const char *arn = alias_arn(call);
    if (keyring_alias(k, span_of(arn)))
        return call_fault(call, &fault_already_exists, "An alias with the name %s already exists", arn);
    const struct fault *fault = quota_alias(call, call->subject);
    if (fault)
        return fault;
    keyring_create_alias(k, call->subject, p->name, call->time_ns);
    call->needs_commit = true;
    return NULL;
}

// API reference, UpdateAlias: code that uses an alias may go on as before.
static const struct fault *check_likeness(struct call *call, const struct key *now, const struct key *next)
{
    if (now->usage == next->usage && now->spec->symmetric == next->spec->symmetric)
        return NULL;
    return call_fault(
        call, &fault_validation,
        "An alias can be moved only to a key of the same type and key usage: %s has KeySpec %s and KeyUsage "
        "%s, and %s has %s and %s.",
        now->arn, now->spec->name, key_usage_names[now->usage], next->arn, next->spec->name,
        key_usage_names[next->usage]);
}

const struct fault *update_alias(struct call *call)
{
    struct alias *a = call->subject2;
    const struct fault *fault = check_likeness(call, a->key, call->subject);
    if (!fault && a->key != call->subject)
        fault = quota_alias(call, call->subject);
    if (fault)
        return fault;
    keyring_move_alias(kmsd_of(call)->keyring, a, call->subject, call->time_ns);
    call->needs_commit = true;
    return NULL;
}

const struct fault *delete_alias(struct call *call)
{
    keyring_delete_alias(kmsd_of(call)->keyring, call->subject2);
    call->needs_commit = true;
    return NULL;
}

// ---- ListAliases ----

const struct param list_aliases_rows[] = {ROW_OPTIONAL_KEY_ID, ROW_LIMIT(KMS_LIST_MAX), ROW_MARKER, {NULL}};

const struct fault *list_aliases_resolve(struct call *call)
{
    const struct kms_params *p = call->params;
    struct key *key = NULL;
    const struct fault *fault = p->key_id.p ? resolve_key_text(call, p->key_id, &key) : NULL;
    call->subject2 = key; // a filter: identity policies alone decide about listing
    if (key)
        resolve_add_key(call, key);
    return fault;
}

static void write_entry(struct json_write *w, const struct alias *a)
{
    json_obj_begin(w);
    json_kcstr(w, "AliasArn", a->arn);
    json_kcstr(w, "AliasName", a->name);
    json_kepoch(w, "CreationDate", a->created_ns);
    json_kepoch(w, "LastUpdatedDate", a->updated_ns);
    json_kcstr(w, "TargetKeyId", a->key->id);
    json_obj_end(w);
}

// A predefined alias: AWS says nothing of dates either.
static void write_predefined(struct json_write *w, struct call *call, const char *name)
{
    char arn[KMS_ARN_SIZE];
    json_obj_begin(w);
    if (arn_write(arn, span_of(call->region), call->account, span_of(name)))
        json_kcstr(w, "AliasArn", arn);
    json_kcstr(w, "AliasName", name);
    json_obj_end(w);
}

const struct fault *list_aliases(struct call *call)
{
    static const struct realm empty;
    const struct key *key = call->subject2;
    struct json_write *w = &call->out;
    struct list_page page;
    const struct fault *fault = list_begin(call, key ? key->arn : NULL, 50, 100, &page);
    if (fault)
        return fault;
    const struct realm *realm = keyring_realm(kmsd_of(call)->keyring, call->account, call->region);
    realm = realm ? realm : &empty;
    const struct ptr_vec *list = key ? &key->aliases : &realm->aliases;
    size_t at = key ? key_alias_after(key, page.after) : realm_alias_after(realm, page.after), shown = 0;
    struct span last = page.after;
    bool more = false;
    json_obj_begin(w);
    json_key(w, "Aliases");
    json_arr_begin(w);
    for (;; shown++) {
        const struct alias *a = at < list->n ? list->v[at] : NULL;
        const char *predefined = key ? NULL : managed_key_predefined_after(last);
        more = (a || predefined) && shown == page.limit;
        if (more || (!a && !predefined))
            break;
        if (a && (!predefined || strcmp(a->name, predefined) <= 0)) {
            write_entry(w, a);
            last = span_of(a->name);
            at++;
        } else {
            write_predefined(w, call, predefined);
            last = span_of(predefined);
        }
    }
    json_arr_end(w);
    list_end(call, &page, more, last);
    json_obj_end(w);
    return NULL;
}
