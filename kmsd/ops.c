// The operation table of KMS, put together from its families, and what surrounds every call: the keyring's lock, the
// store's commit. Read by dispatch, the trail, --list-operations and the tests.
#include "kmsd/ops.h"

#include <string.h>

#include "common/base/ids.h"
#include "common/base/log.h"
#include "kmsd/crypto_params.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/op_grant.h"
#include "kmsd/permit.h"
#include "kmsd/resolve.h"

#define OPS_MAX 64

static struct op ops[OPS_MAX];

// In the real API, not here yet. Every name is either in the table or in this list (tests/model).
static const char *const unbuilt[] = {
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "DeleteCustomKeyStore",
    "DeleteImportedKeyMaterial",
    "DeriveSharedSecret",
    "DescribeCustomKeyStores",
    "DisableKeyRotation",
    "DisconnectCustomKeyStore",
    "EnableKeyRotation",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "GetKeyLastUsage",
    "GetKeyRotationStatus",
    "GetParametersForImport",
    "GetPublicKey",
    "ImportKeyMaterial",
    "ListKeyRotations",
    "ReplicateKey",
    "RotateKeyOnDemand",
    "Sign",
    "UpdateCustomKeyStore",
    "UpdatePrimaryRegion",
    "Verify",
    "VerifyMac",
    NULL,
};

static const struct op *const families[] = {op_key_rows,    op_alias_rows,   op_policy_rows, op_tag_rows,
                                            op_crypto_rows, op_decrypt_rows, op_grant_rows,  op_list_grants_rows};

// Before main(): the service's table is then constant.
__attribute__((constructor)) static void put_together(void)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        for (const struct op *row = families[i]; row->name && n < OPS_MAX - 1; row++)
            ops[n++] = *row;
}

void trail_key_arn(struct json_write *w, struct call *call)
{
    const struct key *key = call->subject;
    json_obj_begin(w);
    json_kcstr(w, "keyId", key->arn);
    json_obj_end(w);
}

// Readers share the keyring. The first use of an AWS managed key makes it, so that call must be alone.
static const struct fault *enter(struct call *call)
{
    struct keyring *k = kmsd_of(call)->keyring;
    const struct kms_params *p = call->params;
    if (call->caller.principal->type == PRINCIPAL_SERVICE) {
        char *shared = arena_alloc(&call->arena, UUID_TEXT_SIZE);
        id_uuid(call->daemon->rng, shared);
        call->shared_event_id = shared;
    }
    if (call->op->changes) {
        keyring_write_lock(k);
        return NULL;
    }
    keyring_read_lock(k);
    if (p->key_id.p && resolve_wants_managed_key(call, p->key_id)) {
        keyring_unlock(k);
        keyring_write_lock(k);
    }
    return NULL;
}

static void leave(struct call *call)
{
    keyring_unlock(kmsd_of(call)->keyring);
}

static const struct fault *commit(struct call *call)
{
    char why[256];
    if (store_commit(call->daemon->store, why, sizeof why))
        return NULL;
    log_error("%s the store cannot be written: %s", call->request_id, why);
    return &fault_unavailable;
}

// Only CreateGrant leaves something: a grant that was described and not made.
static void release(struct call *call)
{
    grant_free(call->state);
}

const struct service kms_service = {
    .name = "kms",
    .event_source = "kms.amazonaws.com",
    .target_prefix = "TrentService.",
    .content_type = "application/x-amz-json-1.1",
    .ops = ops,
    .unbuilt = unbuilt,
    .enter = enter,
    .leave = leave,
    .authorize = permit_call,
    .commit = commit,
    .commit_is_final = true,
    .release = release,
    .unknown_operation = &fault_unknown_operation,
    .unsupported_operation = &fault_unsupported,
    .validation = &fault_validation,
    .serialization = &fault_serialization,
    .internal = &fault_internal,
    .access_denied = &fault_access_denied,
    .unavailable = &fault_unavailable,
};
