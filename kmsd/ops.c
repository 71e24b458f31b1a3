// The operation table of KMS, one row an operation, and what surrounds every call: the keyring's lock, the
// store's commit. Read by dispatch, the trail, --list-operations and the tests.
#include "kmsd/ops.h"

#include <string.h>

#include "common/base/ids.h"
#include "common/base/log.h"
#include "common/rpc/worker.h"
#include "kmsd/call_state.h"
#include "kmsd/cluster_trail.h"
#include "kmsd/encryption.h"
#include "kmsd/fault_rules.h"
#include "kmsd/faults.h"
#include "kmsd/key_use.h"
#include "kmsd/kmsd.h"
#include "kmsd/op_alias.h"
#include "kmsd/op_create_key.h"
#include "kmsd/op_create_key_store.h"
#include "kmsd/op_data_key.h"
#include "kmsd/op_data_key_pair.h"
#include "kmsd/op_decrypt.h"
#include "kmsd/op_encrypt.h"
#include "kmsd/op_grant.h"
#include "kmsd/op_import.h"
#include "kmsd/op_key.h"
#include "kmsd/op_key_store.h"
#include "kmsd/op_last_usage.h"
#include "kmsd/op_list_grants.h"
#include "kmsd/op_mac.h"
#include "kmsd/op_multi_region.h"
#include "kmsd/op_policy.h"
#include "kmsd/op_public_key.h"
#include "kmsd/op_random.h"
#include "kmsd/op_re_encrypt.h"
#include "kmsd/op_retire_grant.h"
#include "kmsd/op_rotation.h"
#include "kmsd/op_shared_secret.h"
#include "kmsd/op_sign.h"
#include "kmsd/op_tag.h"
#include "kmsd/permit.h"
#include "kmsd/recipient.h"
#include "kmsd/resolve.h"
#include "kmsd/throttle.h"

#define PARAMS(rows_, struct_) .params = rows_, .params_size = sizeof(struct struct_)
#define KMS(...)                                                                                                       \
    .ext = &(const struct kms_op)                                                                                      \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define FOR(usage_) (1u << USAGE_##usage_)
#define FROM(origin_) (1u << ORIGIN_##origin_)
// A key may be named by alias, and be another account's.
#define ANYWHERE .aliases = true, .foreign = true

// clang-format off
static const struct op ops[] = {
    // ---- keys ----
    {.name = "CreateKey", .action = "kms:CreateKey", PARAMS(create_key_rows, create_key_params),
     .resolve = create_key_check, .authorize = create_key_authorize, .invoke = create_key, .changes = true,
     .trail_request = create_key_trail_request, .trail_response = create_key_trail_response,
     .trail_additional = cluster_trail_created,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "DescribeKey", .action = "kms:DescribeKey", PARAMS(describe_key_rows, kms_params),
     .resolve = resolve_key, .invoke = describe_key, .read_only = true,
     KMS(ANYWHERE, .grant = GRANT_DESCRIBE_KEY, .rule = RULE_ALWAYS)},
    {.name = "GetKeyLastUsage", .action = "kms:GetKeyLastUsage", PARAMS(key_id_rows, kms_params),
     .resolve = resolve_key, .invoke = get_key_last_usage, .read_only = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "ListKeys", .action = "kms:ListKeys", PARAMS(list_keys_rows, list_params),
     .invoke = list_keys, .read_only = true, .no_resources = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "EnableKey", .action = "kms:EnableKey", PARAMS(key_id_rows, kms_params),
     .resolve = resolve_key, .invoke = enable_key, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_SWITCH)},
    {.name = "DisableKey", .action = "kms:DisableKey", PARAMS(key_id_rows, kms_params),
     .resolve = resolve_key, .invoke = disable_key, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_SWITCH)},
    {.name = "ScheduleKeyDeletion", .action = "kms:ScheduleKeyDeletion",
     PARAMS(schedule_key_deletion_rows, schedule_params),
     .resolve = schedule_key_deletion_resolve, .invoke = schedule_key_deletion, .changes = true,
     .trail_response = schedule_key_deletion_trail, .trail_additional = cluster_trail_scheduled,
     KMS(.grant = GRANT_NONE, .rule = RULE_SCHEDULE)},
    {.name = "CancelKeyDeletion", .action = "kms:CancelKeyDeletion", PARAMS(key_id_rows, kms_params),
     .resolve = resolve_key, .invoke = cancel_key_deletion, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_CANCEL)},
    {.name = "UpdateKeyDescription", .action = "kms:UpdateKeyDescription",
     PARAMS(update_key_description_rows, description_params),
     .resolve = resolve_key, .invoke = update_key_description, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_EDIT)},
    // ---- rotation ----
    {.name = "EnableKeyRotation", .action = "kms:EnableKeyRotation", PARAMS(enable_key_rotation_rows, rotation_params),
     .resolve = resolve_key, .invoke = enable_key_rotation, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_USE, .origins = FROM(AWS_KMS))},
    {.name = "DisableKeyRotation", .action = "kms:DisableKeyRotation", PARAMS(key_id_rows, kms_params),
     .resolve = resolve_key, .invoke = disable_key_rotation, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_USE, .origins = FROM(AWS_KMS))},
    {.name = "GetKeyRotationStatus", .action = "kms:GetKeyRotationStatus", PARAMS(key_id_rows, kms_params),
     .resolve = resolve_key, .invoke = get_key_rotation_status, .read_only = true,
     KMS(.foreign = true, .grant = GRANT_NONE, .rule = RULE_ALWAYS, .origins = FROM(AWS_KMS))},
    {.name = "ListKeyRotations", .action = "kms:ListKeyRotations",
     PARAMS(list_key_rotations_rows, list_rotations_params),
     .resolve = resolve_key, .invoke = list_key_rotations, .read_only = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS, .origins = FROM(AWS_KMS) | FROM(EXTERNAL))},
    {.name = "RotateKeyOnDemand", .action = "kms:RotateKeyOnDemand", PARAMS(key_id_rows, kms_params),
     .resolve = resolve_key, .invoke = rotate_key_on_demand, .changes = true,
     .trail_response = rotate_key_on_demand_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_USE, .origins = FROM(AWS_KMS) | FROM(EXTERNAL))},
    // ---- multi-Region keys ----
    {.name = "ReplicateKey", .action = "kms:ReplicateKey", PARAMS(replicate_key_rows, replicate_params),
     .resolve = replicate_key_resolve, .authorize = replicate_key_authorize, .invoke = replicate_key, .changes = true,
     .trail_response = replicate_key_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_REPLICATE)},
    {.name = "UpdatePrimaryRegion", .action = "kms:UpdatePrimaryRegion",
     PARAMS(update_primary_region_rows, primary_region_params),
     .resolve = resolve_key, .authorize = update_primary_region_authorize, .invoke = update_primary_region,
     .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_USE)},
    // ---- aliases ----
    {.name = "CreateAlias", .action = "kms:CreateAlias", PARAMS(alias_target_rows, alias_params),
     .resolve = create_alias_resolve, .authorize = alias_authorize, .invoke = create_alias, .changes = true,
     .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_EDIT)},
    {.name = "UpdateAlias", .action = "kms:UpdateAlias", PARAMS(alias_target_rows, alias_params),
     .resolve = update_alias_resolve, .authorize = alias_authorize, .invoke = update_alias, .changes = true,
     .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_EDIT)},
    {.name = "DeleteAlias", .action = "kms:DeleteAlias", PARAMS(alias_name_rows, alias_params),
     .resolve = delete_alias_resolve, .authorize = alias_authorize, .invoke = delete_alias, .changes = true,
     .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "ListAliases", .action = "kms:ListAliases", PARAMS(list_aliases_rows, list_params),
     .resolve = list_aliases_resolve, .invoke = list_aliases, .read_only = true, .no_resources = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    // ---- key policies ----
    {.name = "GetKeyPolicy", .action = "kms:GetKeyPolicy", PARAMS(get_key_policy_rows, policy_params),
     .resolve = resolve_key, .invoke = get_key_policy, .read_only = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "PutKeyPolicy", .action = "kms:PutKeyPolicy", PARAMS(put_key_policy_rows, policy_params),
     .resolve = resolve_key, .invoke = put_key_policy, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "ListKeyPolicies", .action = "kms:ListKeyPolicies", PARAMS(list_key_policies_rows, list_params),
     .resolve = resolve_key, .invoke = list_key_policies, .read_only = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    // ---- tags ----
    {.name = "TagResource", .action = "kms:TagResource", PARAMS(tag_resource_rows, tag_params),
     .resolve = resolve_key, .invoke = tag_resource, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_EDIT)},
    {.name = "UntagResource", .action = "kms:UntagResource", PARAMS(untag_resource_rows, tag_params),
     .resolve = resolve_key, .invoke = untag_resource, .changes = true, .trail_response = trail_key_arn,
     KMS(.grant = GRANT_NONE, .rule = RULE_EDIT)},
    {.name = "ListResourceTags", .action = "kms:ListResourceTags", PARAMS(list_resource_tags_rows, list_params),
     .resolve = resolve_key, .invoke = list_resource_tags, .read_only = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    // ---- imported key material ----
    {.name = "GetParametersForImport", .action = "kms:GetParametersForImport",
     PARAMS(import_parameters_rows, import_parameters_params),
     .resolve = resolve_key, .invoke = get_parameters_for_import, .read_only = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_IMPORT_PARAMETERS, .origins = FROM(EXTERNAL))},
    {.name = "ImportKeyMaterial", .action = "kms:ImportKeyMaterial", PARAMS(import_rows, import_params),
     .resolve = import_key_material_resolve, .invoke = import_key_material, .changes = true,
     .trail_response = import_key_material_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_IMPORT, .origins = FROM(EXTERNAL))},
    {.name = "DeleteImportedKeyMaterial", .action = "kms:DeleteImportedKeyMaterial",
     PARAMS(delete_material_rows, delete_material_params),
     .resolve = resolve_key, .invoke = delete_imported_key_material, .changes = true,
     .trail_response = delete_imported_key_material_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_DELETE_MATERIAL, .origins = FROM(EXTERNAL))},
    // ---- cryptography ----
    {.name = "Encrypt", .action = "kms:Encrypt", PARAMS(encrypt_rows, encrypt_params),
     .resolve = resolve_key, .invoke = encrypt, .read_only = true, .trail_additional = encryption_trail_material,
     KMS(ANYWHERE, .use = true, .grant = GRANT_ENCRYPT, .rule = RULE_USE, .usages = FOR(ENCRYPT_DECRYPT))},
    {.name = "Decrypt", .action = "kms:Decrypt", PARAMS(decrypt_rows, decrypt_params),
     .resolve = decrypt_resolve, .authorize = decrypt_authorize, .invoke = decrypt, .read_only = true,
     .trail_additional = encryption_trail_material,
     KMS(ANYWHERE, .use = true, .grant = GRANT_DECRYPT, .rule = RULE_USE, .usages = FOR(ENCRYPT_DECRYPT))},
    {.name = "ReEncrypt", .action = "kms:ReEncrypt*", PARAMS(re_encrypt_rows, re_encrypt_params),
     .resolve = re_encrypt_resolve, .authorize = re_encrypt_authorize, .invoke = re_encrypt, .read_only = true,
     .trail_additional = re_encrypt_trail,
     KMS(ANYWHERE, .use = true, .grant = GRANT_RE_ENCRYPT_TO, .rule = RULE_USE, .usages = FOR(ENCRYPT_DECRYPT))},
    {.name = "GenerateDataKey", .action = "kms:GenerateDataKey", PARAMS(generate_data_key_rows, data_key_params),
     .resolve = generate_data_key_resolve, .invoke = generate_data_key, .read_only = true,
     .trail_additional = encryption_trail_material,
     KMS(ANYWHERE, .use = true, .grant = GRANT_GENERATE_DATA_KEY, .rule = RULE_USE, .usages = FOR(ENCRYPT_DECRYPT))},
    {.name = "GenerateDataKeyWithoutPlaintext", .action = "kms:GenerateDataKeyWithoutPlaintext",
     PARAMS(generate_data_key_without_plaintext_rows, data_key_params),
     .resolve = generate_data_key_resolve, .invoke = generate_data_key_without_plaintext, .read_only = true,
     .trail_additional = encryption_trail_material,
     KMS(ANYWHERE, .use = true, .grant = GRANT_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, .rule = RULE_USE, .usages = FOR(ENCRYPT_DECRYPT))},
    {.name = "GenerateDataKeyPair", .action = "kms:GenerateDataKeyPair",
     PARAMS(generate_data_key_pair_rows, data_key_pair_params),
     .resolve = generate_data_key_pair_resolve, .invoke = generate_data_key_pair, .read_only = true,
     .trail_additional = encryption_trail_material,
     KMS(ANYWHERE, .use = true, .grant = GRANT_GENERATE_DATA_KEY_PAIR, .rule = RULE_USE, .usages = FOR(ENCRYPT_DECRYPT),
         .origins = FROM(AWS_KMS) | FROM(EXTERNAL))},
    {.name = "GenerateDataKeyPairWithoutPlaintext", .action = "kms:GenerateDataKeyPairWithoutPlaintext",
     PARAMS(generate_data_key_pair_without_plaintext_rows, data_key_pair_params),
     .resolve = generate_data_key_pair_resolve, .invoke = generate_data_key_pair_without_plaintext, .read_only = true,
     .trail_additional = encryption_trail_material,
     KMS(ANYWHERE, .use = true, .grant = GRANT_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT, .rule = RULE_USE,
         .usages = FOR(ENCRYPT_DECRYPT), .origins = FROM(AWS_KMS) | FROM(EXTERNAL))},
    {.name = "GenerateRandom", .action = "kms:GenerateRandom", PARAMS(generate_random_rows, random_params),
     .resolve = recipient_resolve, .invoke = generate_random, .read_only = true, .no_resources = true,
     .trail_additional = recipient_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "Sign", .action = "kms:Sign", PARAMS(sign_rows, sign_params),
     .resolve = resolve_key, .invoke = sign, .read_only = true,
     KMS(ANYWHERE, .use = true, .grant = GRANT_SIGN, .rule = RULE_USE, .usages = FOR(SIGN_VERIFY))},
    {.name = "Verify", .action = "kms:Verify", PARAMS(verify_rows, sign_params),
     .resolve = resolve_key, .invoke = verify, .read_only = true,
     KMS(ANYWHERE, .use = true, .grant = GRANT_VERIFY, .rule = RULE_USE, .usages = FOR(SIGN_VERIFY))},
    {.name = "GenerateMac", .action = "kms:GenerateMac", PARAMS(generate_mac_rows, mac_params),
     .resolve = resolve_key, .invoke = generate_mac, .read_only = true,
     KMS(ANYWHERE, .use = true, .grant = GRANT_GENERATE_MAC, .rule = RULE_USE, .usages = FOR(GENERATE_VERIFY_MAC))},
    {.name = "VerifyMac", .action = "kms:VerifyMac", PARAMS(verify_mac_rows, mac_params),
     .resolve = resolve_key, .invoke = verify_mac, .read_only = true,
     KMS(ANYWHERE, .use = true, .grant = GRANT_VERIFY_MAC, .rule = RULE_USE, .usages = FOR(GENERATE_VERIFY_MAC))},
    {.name = "DeriveSharedSecret", .action = "kms:DeriveSharedSecret",
     PARAMS(derive_shared_secret_rows, shared_secret_params),
     .resolve = derive_shared_secret_resolve, .invoke = derive_shared_secret, .read_only = true,
     .trail_additional = recipient_trail,
     KMS(ANYWHERE, .use = true, .grant = GRANT_DERIVE_SHARED_SECRET, .rule = RULE_USE, .usages = FOR(KEY_AGREEMENT))},
    {.name = "GetPublicKey", .action = "kms:GetPublicKey", PARAMS(get_public_key_rows, kms_params),
     .resolve = resolve_key, .invoke = get_public_key, .read_only = true,
     KMS(ANYWHERE, .grant = GRANT_GET_PUBLIC_KEY, .rule = RULE_USE)},
    // ---- custom key stores ----
    {.name = "CreateCustomKeyStore", .action = "kms:CreateCustomKeyStore",
     PARAMS(create_key_store_rows, create_key_store_params),
     .invoke = create_key_store, .changes = true,
     .trail_request = key_store_params_trail, .trail_response = create_key_store_trail_response,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "DescribeCustomKeyStores", .action = "kms:DescribeCustomKeyStores",
     PARAMS(describe_key_stores_rows, describe_key_stores_params),
     .invoke = describe_key_stores, .read_only = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "UpdateCustomKeyStore", .action = "kms:UpdateCustomKeyStore",
     PARAMS(update_key_store_rows, update_key_store_params),
     .invoke = update_key_store, .changes = true,
     .trail_request = key_store_params_trail, .trail_additional = update_key_store_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "ConnectCustomKeyStore", .action = "kms:ConnectCustomKeyStore", PARAMS(key_store_id_rows, key_store_params),
     .invoke = connect_key_store, .changes = true, .trail_additional = key_store_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "DisconnectCustomKeyStore", .action = "kms:DisconnectCustomKeyStore", PARAMS(key_store_id_rows, key_store_params),
     .invoke = disconnect_key_store, .changes = true, .trail_additional = key_store_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "DeleteCustomKeyStore", .action = "kms:DeleteCustomKeyStore", PARAMS(key_store_id_rows, key_store_params),
     .invoke = delete_key_store, .changes = true, .trail_additional = key_store_trail,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    // ---- grants ----
    {.name = "CreateGrant", .action = "kms:CreateGrant", PARAMS(create_grant_rows, grant_params),
     .resolve = create_grant_resolve, .authorize = create_grant_authorize, .invoke = create_grant, .changes = true,
     .trail_response = create_grant_trail,
     KMS(.foreign = true, .grant_management = true, .grant = GRANT_CREATE_GRANT, .rule = RULE_GRANT)},
    {.name = "ListGrants", .action = "kms:ListGrants", PARAMS(list_grants_rows, list_grants_params),
     .resolve = list_grants_resolve, .invoke = list_grants, .read_only = true,
     KMS(.foreign = true, .grant_management = true, .grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "ListRetirableGrants", .action = "kms:ListRetirableGrants",
     PARAMS(list_retirable_grants_rows, list_grants_params),
     .resolve = list_retirable_grants_resolve, .authorize = list_retirable_grants_authorize,
     .invoke = list_retirable_grants, .read_only = true, .no_resources = true,
     KMS(.grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "RetireGrant", .action = "kms:RetireGrant", PARAMS(retire_grant_rows, retire_params),
     .resolve = retire_grant_resolve, .authorize = retire_grant_authorize, .invoke = retire_grant, .changes = true,
     .trail_response = trail_key_arn, .trail_additional = retire_grant_trail,
     KMS(.foreign = true, .grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {.name = "RevokeGrant", .action = "kms:RevokeGrant", PARAMS(revoke_grant_rows, revoke_params),
     .resolve = resolve_key, .invoke = revoke_grant, .changes = true, .trail_response = trail_key_arn,
     KMS(.foreign = true, .grant_management = true, .grant = GRANT_NONE, .rule = RULE_ALWAYS)},
    {NULL},
};
// clang-format on

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
    struct kms_params *p = call->params;
    if (call->caller.principal->type == PRINCIPAL_SERVICE) {
        char *shared = arena_alloc(&call->arena, UUID_TEXT_SIZE);
        id_uuid(call->daemon->rng, shared);
        call->shared_event_id = shared;
    }
    p->alone = call->op->changes;
    if (!p->alone) {
        keyring_read_lock(k);
        p->alone = p->key_id.p && resolve_wants_managed_key(call, p->key_id);
        if (!p->alone)
            return NULL;
        keyring_unlock(k);
    }
    keyring_write_lock(k);
    return NULL;
}

// Another worker's commit must not make a change durable that is not in the trail yet.
static void leave(struct call *call)
{
    const struct kms_params *p = call->params;
    keyring_unlock(kmsd_of(call)->keyring);
    if (!p->alone)
        return;
    if (call->finished && call->needs_commit)
        worker_record_change(call);
    store_release(call->daemon->store);
}

// Request rates, and after them the faults that tests ask for.
static const struct fault *tamper(struct call *call)
{
    struct throttle *t = kmsd_of(call)->throttle;
    const struct fault *fault = t ? throttle_call(t, call, clock_monotonic_ns()) : NULL;
    return fault ? fault : fault_rules_tamper(call);
}

static const struct fault *commit(struct call *call)
{
    char why[256];
    if (store_commit(call->daemon->store, why, sizeof why))
        return NULL;
    log_error("%s the store cannot be written: %s", call->request_id, why);
    return &fault_unavailable;
}

static void release(struct call *call)
{
    struct call_state *state = call->state;
    if (state)
        state->free(state);
}

const struct service kms_service = {
    .name = "kms",
    .event_source = "kms.amazonaws.com",
    .target_prefix = "TrentService.",
    .content_type = "application/x-amz-json-1.1",
    .ops = ops,
    .enter = enter,
    .leave = leave,
    .tamper = tamper,
    .authorize = permit_call,
    .commit = commit,
    .commit_is_final = true,
    .release = release,
    .recorded = key_use_recorded,
    .unknown_operation = &fault_unknown_operation,
    .unsupported_operation = &fault_unsupported,
    .validation = &fault_validation,
    .serialization = &fault_serialization,
    .internal = &fault_internal,
    .access_denied = &fault_access_denied,
    .unavailable = &fault_unavailable,
};
