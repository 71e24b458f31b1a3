// Step `resolve` of the key operations, and the pieces that other resolvers use (op_alias.c, op_grant.c, source.c).
#include "kmsd/resolve.h"

#include <string.h>

#include "common/auth/region.h"
#include "common/base/ids.h"
#include "common/rpc/daemon.h"
#include "kmsd/arn.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/managed_key.h"
#include "kmsd/ops.h"
#include "kmsd/permit.h"

void resolve_add_key(struct call *call, const struct key *key)
{
    call_add_resource(call, key->account, "AWS::KMS::Key", key->arn);
}

static bool is_hex(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789abcdef", s.p[i]) || s.p[i] == '\0')
            return false;
    return true;
}

bool key_id_matches(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] > 0x7f)
            return false;
    return text.n > 0;
}

bool resolve_is_key_id(struct span text)
{
    if (span_starts(text, "mrk-"))
        return text.n == 36 && is_hex((struct span){text.p + 4, 32});
    return id_is_uuid(text);
}

static const struct fault *key_by_id(struct call *call, struct span id, const char *account, struct key **out)
{
    char arn[KMS_ARN_SIZE], resource[64] = "key/";
    memcpy(resource + 4, id.p, id.n); // 36 characters
    if (!arn_write(arn, span_of(call->region), account, (struct span){resource, 4 + id.n}))
        return &fault_internal;
    *out = keyring_key(kmsd_of(call)->keyring, span_of(arn));
    if (*out)
        return NULL;
    call_add_resource(call, account, "AWS::KMS::Key", arn);
    // Another account's keys are not for this caller to know.
    if (strcmp(account, call->account) != 0)
        return permit_unknown(call, arn);
    return call_fault(call, &fault_not_found, "Key '%s' does not exist", arn);
}

static const struct fault *alias_by_name(struct call *call, struct span name, const char *account, struct alias **out)
{
    char arn[KMS_ARN_SIZE];
    struct keyring *k = kmsd_of(call)->keyring;
    if (!arn_write(arn, span_of(call->region), account, name))
        return call_fault(call, &fault_not_found, "Alias %.*s is not found.", (int)name.n, name.p);
    *out = keyring_alias(k, span_of(arn));
    if (*out)
        return NULL;
    if (strcmp(account, call->account) != 0)
        return permit_unknown(call, arn);
    return call_fault(call, &fault_not_found, "Alias %s is not found.", arn);
}

// The account and resource of an ARN of this service and Region.
static const struct fault *local_arn(struct call *call, struct span text, char account[13], struct span *resource)
{
    struct arn arn;
    if (!arn_parse(text, &arn) || !span_is(arn.service, "kms") || !id_is_account(arn.account) ||
        !(span_starts(arn.resource, "key/") || span_starts(arn.resource, "alias/")))
        return call_fault(call, &fault_invalid_arn, "Invalid arn %.*s", (int)text.n, text.p);
    if (!span_is(arn.region, call->region) || !span_is(arn.partition, region_partition(arn.region)))
        return call_fault(call, &fault_not_found, "Invalid arn %.*s", (int)arn.region.n, arn.region.p);
    memcpy(account, arn.account.p, 12);
    account[12] = '\0';
    *resource = arn.resource;
    return NULL;
}

// Splits a key's text into account and "alias/…", "key/…" or a bare id.
static const struct fault *take_apart(struct call *call, struct span text, char account[13], struct span *resource)
{
    if (span_starts(text, "arn:"))
        return local_arn(call, text, account, resource);
    memcpy(account, call->account, 13);
    *resource = text;
    return NULL;
}

// Not a change that dispatch knows of beforehand: there must be room for it, and it is on the disk before anybody else
// can find the key, since whoever uses it commits nothing.
static const struct fault *make_managed_key(struct call *call, struct span name, struct key **out)
{
    char why[256];
    struct store *store = call->daemon->store;
    if (!store_has_room(store))
        return &fault_internal;
    *out = managed_key_create(kmsd_of(call)->keyring, call->account, call->region, name, call->time_ns);
    if (!*out)
        return &fault_internal;
    call->needs_commit = true; // should this fail, the end of the call tries again, and ends the daemon
    store_publish(store);
    return store_commit(store, why, sizeof why) ? NULL : &fault_unavailable;
}

static const struct fault *through_alias(struct call *call, struct span name, const char *account, struct key **out)
{
    struct alias *a = NULL;
    struct keyring *k = kmsd_of(call)->keyring;
    const struct kms_op *ext = call->op->ext;
    const struct kms_params *p = call->params;
    if (!ext->aliases)
        return call_fault(call, &fault_invalid_arn, "Key Aliases are not supported for this operation.");
    // Only a call that holds the keyring alone may make a key (KeyId of what encrypts or describes, not of Decrypt).
    if (p->alone && strcmp(account, call->account) == 0 && managed_key_missing(k, call->account, call->region, name))
        return make_managed_key(call, name, out);
    const struct fault *fault = alias_by_name(call, name, account, &a);
    if (!fault)
        *out = a->key;
    return fault;
}

const struct fault *resolve_key_text(struct call *call, struct span text, struct key **out)
{
    char account[13];
    struct span resource;
    const struct kms_op *ext = call->op->ext;
    const struct fault *fault = take_apart(call, text, account, &resource);
    if (fault)
        return fault;
    if (span_starts(resource, "alias/"))
        return through_alias(call, resource, account, out);
    struct span id = resource;
    if (span_starts(text, "arn:"))
        id = (struct span){resource.p + 4, resource.n - 4};
    if (strcmp(account, call->account) != 0 && !ext->foreign)
        return permit_unknown(call, arena_strndup(&call->arena, text.p, text.n));
    // AWS quotes what is not an id, unless it stands in an ARN.
    if (!resolve_is_key_id(id))
        return call_fault(call, &fault_not_found, id.p == text.p ? "Invalid keyId '%.*s'" : "Invalid keyId %.*s",
                          (int)id.n, id.p);
    return key_by_id(call, id, account, out);
}

const struct fault *resolve_key(struct call *call)
{
    const struct kms_params *p = call->params;
    struct key *key = NULL;
    const struct fault *fault = resolve_key_text(call, p->key_id, &key);
    if (fault)
        return fault;
    call->subject = key;
    resolve_add_key(call, key);
    return NULL;
}

const struct fault *resolve_alias(struct call *call, struct span text, struct alias **out)
{
    return alias_by_name(call, text, call->account, out);
}

bool resolve_wants_managed_key(struct call *call, struct span text)
{
    struct arn arn;
    struct span name = text;
    if (span_starts(text, "arn:")) {
        if (!arn_parse(text, &arn) || !span_is(arn.account, call->account) || !span_is(arn.region, call->region))
            return false;
        name = arn.resource;
    }
    return managed_key_missing(kmsd_of(call)->keyring, call->account, call->region, name);
}
