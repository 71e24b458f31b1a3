// ImportKeyMaterial and DeleteImportedKeyMaterial. Unwrapping takes as long as an RSA signature, so it happens in the
// worker's loop without the keyring's lock; then the call starts again and finds what was inside.
#include "kmsd/op_import.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/rpc/worker.h"
#include "kmsd/call_state.h"
#include "kmsd/faults.h"
#include "kmsd/import_material.h"
#include "kmsd/import_token.h"
#include "kmsd/key_type.h"
#include "kmsd/kmsd.h"
#include "kmsd/resolve.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)
#define VALID_DAYS_MAX 365

static const char *const expiration_models[] = {"KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE", NULL};
static const char *const import_types[] = {"NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL", NULL};

static bool description_matches(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  (c >= '\t' && c <= '\r') || strchr(" :/_.-", c);
        if (!ok)
            return false;
    }
    return text.n > 0;
}

static bool material_id_matches(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!((text.p[i] >= '0' && text.p[i] <= '9') || (text.p[i] >= 'a' && text.p[i] <= 'f')))
            return false;
    return text.n > 0;
}

#define ROW_MATERIAL_ID(offset_)                                                                                       \
    {                                                                                                                  \
        .name = "KeyMaterialId", .type = PARAM_STRING, .offset = (offset_), .min = KEY_MATERIAL_ID_SIZE - 1,           \
        .max = KEY_MATERIAL_ID_SIZE - 1, .pattern = "^[a-f0-9]+$", .matches = material_id_matches                      \
    }

// ---- ImportKeyMaterial ----

#define AT(member_) PARAM_AT(import_params, member_)

const struct param import_rows[] = {
    ROW_KEY_ID,
    {.name = "ImportToken",
     .type = PARAM_BLOB,
     .offset = AT(token),
     .required = true,
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_CIPHERTEXT_MAX},
    {.name = "EncryptedKeyMaterial",
     .type = PARAM_BLOB,
     .offset = AT(material),
     .required = true,
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_CIPHERTEXT_MAX},
    {.name = "ValidTo", .type = PARAM_TIME, .offset = AT(valid_to)},
    {.name = "ExpirationModel", .type = PARAM_STRING, .offset = AT(expiration_model), .choices = expiration_models},
    {.name = "ImportType", .type = PARAM_STRING, .offset = AT(import_type), .choices = import_types},
    {.name = "KeyMaterialDescription",
     .type = PARAM_STRING,
     .offset = AT(description),
     .max = 256,
     .pattern = "^[a-zA-Z0-9:/_\\s.-]+$",
     .matches = description_matches},
    ROW_MATERIAL_ID(AT(material_id)),
    {NULL},
};

static bool expires(const struct import_params *p)
{
    return !p->expiration_model.p || span_is(p->expiration_model, "KEY_MATERIAL_EXPIRES");
}

static bool says_new(const struct import_params *p)
{
    return p->import_type.p && span_is(p->import_type, "NEW_KEY_MATERIAL");
}

static const struct fault *check_terms(struct call *call, const struct import_params *p)
{
    if (expires(p) && !p->valid_to.set)
        return call_fault(call, &fault_validation,
                          "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES");
    if (!expires(p) && p->valid_to.set)
        return call_fault(call, &fault_validation,
                          "The parameter ValidTo cannot be specified for a key with an expiration model of "
                          "KEY_MATERIAL_DOES_NOT_EXPIRE");
    if (p->valid_to.set && p->valid_to.ns <= call->time_ns)
        return call_fault(call, &fault_validation, "ValidTo must be in the future");
    if (p->valid_to.set && p->valid_to.ns - call->time_ns > VALID_DAYS_MAX * DAY_NS)
        return call_fault(call, &fault_validation, "ValidTo must be at most %d days in the future", VALID_DAYS_MAX);
    if (says_new(p) && p->material_id.p)
        return call_fault(call, &fault_validation,
                          "KeyMaterialId cannot be specified with an ImportType of NEW_KEY_MATERIAL");
    return NULL;
}

const struct fault *import_key_material_resolve(struct call *call)
{
    const struct fault *fault = check_terms(call, call->params);
    return fault ? fault : resolve_key(call);
}

// What was inside the wrapping, between the two times that the call comes to its leaf.
struct unwrapping {
    struct call_state base;
    struct import_token token;
    struct secret material;
    char id[KEY_MATERIAL_ID_SIZE];
    const struct key_spec *spec;
    const struct fault *fault;
};

static void unwrapping_free(struct call_state *state)
{
    struct unwrapping *u = (struct unwrapping *)state;
    import_token_done(&u->token);
    secret_done(&u->material);
    free(u);
}

static const struct fault *unwrap(const struct call *call, struct unwrapping *u)
{
    const struct import_params *p = call->params;
    unsigned char backing_id[BACKING_ID_SIZE]; // it has one of its own
    struct secret raw = {0};
    const struct fault *fault = NULL;
    EVP_PKEY *key = key_type_load(secret_span(&u->token.wrapping_key));
    if (!key || !wrapping_size_ok(u->token.wrapping, key, p->material.n))
        fault = &fault_validation;
    else if (!wrapping_open(u->token.wrapping, key, p->material, &raw))
        fault = &fault_invalid_ciphertext;
    else if (!import_material_take(u->spec, secret_span(&raw), &u->material))
        fault = &fault_incorrect_key_material;
    else if (!material_ids(u->spec, strrchr(u->token.arn, '/') + 1, secret_span(&u->material), backing_id, u->id))
        fault = &fault_internal;
    EVP_PKEY_free(key);
    secret_done(&raw);
    return fault;
}

static void unwrap_and_go_on(void *arg)
{
    struct call *call = arg;
    struct unwrapping *u = call->state;
    u->fault = unwrap(call, u);
    call_restart(call);
}

static const struct fault *begin(struct call *call)
{
    const struct import_params *p = call->params;
    const struct key *key = call->subject;
    struct unwrapping *u = calloc(1, sizeof *u);
    if (!u)
        abort();
    u->base.free = unwrapping_free;
    u->spec = key->spec;
    call->state = u;
    if (!import_token_read(keyring_root(kmsd_of(call)->keyring), p->token, &u->token) ||
        strcmp(u->token.arn, key->arn) != 0)
        return &fault_invalid_import_token;
    if (call->time_ns >= u->token.valid_to_ns)
        return &fault_expired_import_token;
    loop_post(call->worker->loop, unwrap_and_go_on, call);
    return &call_pending;
}

static const struct fault *incorrect(struct call *call, const char *why)
{
    return call_fault(call, &fault_incorrect_key_material, "%s", why);
}

// What is wrong with what was unwrapped, for this key as it is now. *known: the same material, imported before.
static const struct fault *check_material(struct call *call, const struct unwrapping *u, struct key_material **known)
{
    const struct import_params *p = call->params;
    const struct key *key = call->subject;
    bool is_new = p->import_type.p ? says_new(p) : key->materials_n == 0 && !p->material_id.p;
    if (u->fault == &fault_validation)
        return call_fault(call, u->fault, "Invalid encrypted key size.");
    if (u->fault == &fault_incorrect_key_material)
        return call_fault(call, u->fault, "The key material is not valid for KeySpec %s.", key->spec->name);
    if (u->fault)
        return u->fault;
    *known = key_material_by_id(key, span_of(u->id));
    if (p->material_id.p && !span_is(p->material_id, u->id))
        return incorrect(call, "The key material is not the one that KeyMaterialId names.");
    if (is_new && key->multi_region == MULTI_REGION_REPLICA)
        return call_fault(call, &fault_unsupported, "New key material must be imported into the primary key %s first.",
                          key->family->primary->arn);
    if (is_new && *known)
        return incorrect(call, "The key material is associated with the KMS key already.");
    if (!is_new && !*known)
        return incorrect(call, "The key material is not the one that was imported into the KMS key before.");
    for (size_t i = 0; is_new && i < key->materials_n; i++)
        if (!material_is_permanent(key->materials[i]))
            return call_fault(call, &fault_invalid_state,
                              "New key material (id: %s) cannot be imported into KMS key %s, because another key "
                              "material (id: %s) is pending rotation.",
                              u->id, key->arn, key->materials[i]->material_id);
    return NULL;
}

// Only keys that can have several materials know them by name.
static const struct fault *check_spec(struct call *call, const struct key *key)
{
    const struct import_params *p = call->params;
    const char *member = p->import_type.p   ? "ImportType"
                         : p->description.p ? "KeyMaterialDescription"
                         : p->material_id.p ? "KeyMaterialId"
                                            : NULL;
    if (key->spec->symmetric || !member)
        return NULL;
    return call_fault(call, &fault_unsupported, "%s is not supported for KeySpec %s.", member, key->spec->name);
}

static void write_ids(struct json_write *w, const char *names[2], const struct key *key, const char *material_id)
{
    json_obj_begin(w);
    json_kcstr(w, names[0], key->arn);
    if (key->spec->symmetric && *material_id)
        json_kcstr(w, names[1], material_id);
    json_obj_end(w);
}

static const char *reply_names[] = {"KeyId", "KeyMaterialId"}, *trail_names[] = {"keyId", "keyMaterialId"};

const struct fault *import_key_material(struct call *call)
{
    const struct import_params *p = call->params;
    struct keyring *k = kmsd_of(call)->keyring;
    struct key *key = call->subject;
    struct unwrapping *u = call->state;
    struct key_material *m = NULL;
    const struct fault *fault = check_spec(call, key);
    if (!fault && !u)
        return begin(call);
    if (!fault)
        fault = check_material(call, u, &m);
    if (fault)
        return fault;
    if (m)
        keyring_restore_material(m, &u->material);
    else
        m = keyring_import_material(k, key, u->id, &u->material, call->time_ns);
    m->expires = expires(p);
    m->valid_to_ns = p->valid_to.ns;
    if (p->description.p)
        key_set_text(&m->description, p->description);
    keyring_finish_import(k, key);
    changes_add(kmsd_of(call)->changes, CHANGE_KEY_MATERIAL_IMPORTED, key->arn, NULL);
    scheduler_wake(call->daemon->scheduler);
    call->needs_commit = true;
    call->subject2 = m;
    write_ids(&call->out, reply_names, key, m->material_id);
    return NULL;
}

void import_key_material_trail(struct json_write *w, struct call *call)
{
    const struct key_material *m = call->subject2;
    write_ids(w, trail_names, call->subject, m->material_id);
}

// ---- DeleteImportedKeyMaterial ----

const struct param delete_material_rows[] = {
    ROW_KEY_ID,
    ROW_MATERIAL_ID(PARAM_AT(delete_material_params, material_id)),
    {NULL},
};

// A key without the material is what was wanted: it is told as done, and nothing changes.
const struct fault *delete_imported_key_material(struct call *call)
{
    struct delete_material_params *p = call->params;
    struct key *key = call->subject;
    struct key_material *m = p->material_id.p ? key_material_by_id(key, p->material_id) : key_current(key);
    if (p->material_id.p && !key->spec->symmetric)
        return call_fault(call, &fault_unsupported, "KeyMaterialId is not supported for KeySpec %s.", key->spec->name);
    if (p->material_id.p && !m)
        return call_fault(call, &fault_not_found, "Key material %.*s of key '%s' does not exist", (int)p->material_id.n,
                          p->material_id.p, key->arn);
    if (m)
        memcpy(p->deleted, m->material_id, sizeof p->deleted);
    if (m && m->bytes.n > 0) {
        keyring_delete_material(kmsd_of(call)->keyring, m);
        changes_add(kmsd_of(call)->changes, CHANGE_KEY_MATERIAL_DELETED, key->arn, NULL);
        scheduler_wake(call->daemon->scheduler);
        call->needs_commit = true;
    }
    write_ids(&call->out, reply_names, key, p->deleted);
    return NULL;
}

void delete_imported_key_material_trail(struct json_write *w, struct call *call)
{
    const struct delete_material_params *p = call->params;
    write_ids(w, trail_names, call->subject, p->deleted);
}
