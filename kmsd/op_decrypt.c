// Decrypt and ReEncrypt: which key a ciphertext was made with, who may use it, what is inside.
#include "kmsd/op_decrypt.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/op_crypto.h"
#include "kmsd/permit.h"
#include "kmsd/resolve.h"

static const char *const modifiers[] = {"IGNORE_CIPHERTEXT", NULL};

// A dry run may do without a ciphertext, if a key is named.
static bool ciphertext_ignored(const struct kms_params *p, const struct source *s)
{
    return p->dry_run.v && s->modifiers.n > 0 && s->key_id.p;
}

static void find_material(struct call *call, struct source *s)
{
    if (s->blob.p && ciphertext_parse(s->blob, &s->parsed))
        s->material = keyring_material(kmsd_of(call)->keyring, s->parsed.backing_id);
}

// The key of a ciphertext that nobody named must be in this Region, and still be.
static const struct fault *resolve_by_ciphertext(struct call *call, struct source *s)
{
    if (!s->material)
        return &fault_invalid_ciphertext;
    if (!s->material->key || strcmp(s->material->key->region, call->region) != 0)
        return permit_unknown(call, NULL);
    s->key = s->material->key;
    return NULL;
}

static const struct fault *resolve_source(struct call *call, struct source *s)
{
    const struct kms_params *p = call->params;
    if (!s->blob.p && !ciphertext_ignored(p, s))
        return call_fault(call, &fault_validation,
                          "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
                          "Member must not be null");
    if (!ciphertext_ignored(p, s))
        find_material(call, s);
    const struct fault *fault =
        s->key_id.p ? resolve_key_text(call, s->key_id, &s->key) : resolve_by_ciphertext(call, s);
    if (!fault)
        resolve_add_key(call, s->key);
    return fault;
}

static const struct fault *authorize_source(struct call *call, const struct source *s, const char *action,
                                            enum grant_operation operation)
{
    struct authz_question q;
    const struct fault *fault = permit_question(call, s->key, &q);
    q.action = action;
    q.operation = operation;
    if (!fault)
        fault = permit_ask(call, &q, !s->key_id.p);
    // That it is not this key's ciphertext is told before the key's usage and state.
    if (!fault && s->material && s->material->key != s->key)
        fault = &fault_incorrect_key;
    return fault ? fault : permit_state(call, s->key);
}

// Opens the ciphertext into memory that is wiped with the call.
static const struct fault *open_source(struct call *call, const struct source *s, const struct str_map *context,
                                       struct span *plaintext)
{
    struct buf canonical;
    if (s->algorithm.p && !s->key->spec->symmetric)
        return crypto_check_algorithm(call, s->key, s->algorithm);
    if (!s->material)
        return &fault_invalid_ciphertext;
    const struct fault *fault = crypto_check_algorithm(call, s->key, s->algorithm);
    if (!fault)
        fault = crypto_context(call, context, &canonical);
    if (fault)
        return fault;
    unsigned char *to = call_secret_alloc(call, s->parsed.plaintext_n);
    bool ok = ciphertext_open(&s->parsed, s->material->bytes.p, buf_span(&canonical), to);
    *plaintext = (struct span){(char *)to, s->parsed.plaintext_n};
    buf_done(&canonical);
    return ok ? NULL : &fault_invalid_ciphertext;
}

// ---- Decrypt ----

#define AT(member_) PARAM_AT(decrypt_params, member_)

const struct param decrypt_rows[] = {
    {.name = "CiphertextBlob",
     .type = PARAM_BLOB,
     .offset = AT(source.blob),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_CIPHERTEXT_MAX},
    ROW_CONTEXT,
    ROW_GRANT_TOKENS,
    {.name = "KeyId", .type = PARAM_STRING, .offset = AT(source.key_id), .min = 1, .max = KMS_ID_MAX},
    {.name = "EncryptionAlgorithm",
     .type = PARAM_STRING,
     .offset = AT(source.algorithm),
     .choices = encryption_algorithms,
     .trail_default = "SYMMETRIC_DEFAULT"},
    {.name = "Recipient", .type = PARAM_JSON, .offset = AT(recipient), .trail = PARAM_HIDDEN},
    ROW_DRY_RUN,
    {.name = "DryRunModifiers", .type = PARAM_STRINGS, .offset = AT(source.modifiers), .choices = modifiers},
    {NULL},
};

const struct fault *decrypt_resolve(struct call *call)
{
    struct decrypt_params *p = call->params;
    const struct fault *fault = crypto_no_recipient(call, p->recipient);
    return fault ? fault : resolve_source(call, &p->source);
}

const struct fault *decrypt_authorize(struct call *call)
{
    const struct decrypt_params *p = call->params;
    return authorize_source(call, &p->source, "kms:Decrypt", GRANT_DECRYPT);
}

const struct fault *decrypt(struct call *call)
{
    const struct decrypt_params *p = call->params;
    struct json_write *w = &call->out;
    struct span plaintext;
    if (ciphertext_ignored(&p->common, &p->source))
        return permit_dry_run(call);
    const struct fault *fault = open_source(call, &p->source, &p->common.context, &plaintext);
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    call->subject2 = (void *)(uintptr_t)p->source.material;
    json_obj_begin(w);
    json_kcstr(w, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    json_kcstr(w, "KeyId", p->source.key->arn);
    json_kcstr(w, "KeyMaterialId", p->source.material->material_id);
    json_key(w, "Plaintext");
    json_base64(w, plaintext);
    json_obj_end(w);
    return NULL;
}

// ---- ReEncrypt ----

#undef AT
#define AT(member_) PARAM_AT(re_encrypt_params, member_)

const struct param re_encrypt_rows[] = {
    {.name = "CiphertextBlob",
     .type = PARAM_BLOB,
     .offset = AT(source.blob),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_CIPHERTEXT_MAX},
    {.name = "SourceEncryptionContext", .type = PARAM_MAP, .offset = AT(source_context)},
    {.name = "SourceKeyId", .type = PARAM_STRING, .offset = AT(source.key_id), .min = 1, .max = KMS_ID_MAX},
    {.name = "DestinationKeyId",
     .type = PARAM_STRING,
     .offset = AT(common.key_id),
     .required = true,
     .min = 1,
     .max = KMS_ID_MAX},
    {.name = "DestinationEncryptionContext", .type = PARAM_MAP, .offset = AT(common.context)},
    {.name = "SourceEncryptionAlgorithm",
     .type = PARAM_STRING,
     .offset = AT(source.algorithm),
     .choices = encryption_algorithms,
     .trail_default = "SYMMETRIC_DEFAULT"},
    {.name = "DestinationEncryptionAlgorithm",
     .type = PARAM_STRING,
     .offset = AT(algorithm),
     .choices = encryption_algorithms,
     .trail_default = "SYMMETRIC_DEFAULT"},
    ROW_GRANT_TOKENS,
    ROW_DRY_RUN,
    {.name = "DryRunModifiers", .type = PARAM_STRINGS, .offset = AT(source.modifiers), .choices = modifiers},
    {NULL},
};

const struct fault *re_encrypt_resolve(struct call *call)
{
    struct re_encrypt_params *p = call->params;
    p->common.action = "kms:ReEncryptFrom";
    const struct fault *fault = resolve_source(call, &p->source);
    p->common.action = "kms:ReEncryptTo";
    return fault ? fault : resolve_key(call);
}

const struct fault *re_encrypt_authorize(struct call *call)
{
    struct re_encrypt_params *p = call->params;
    struct str_map destination_context = p->common.context;
    struct authz_question q;
    // The question takes the context of the parameters: the source's first.
    p->common.context = p->source_context;
    const struct fault *fault = authorize_source(call, &p->source, "kms:ReEncryptFrom", GRANT_RE_ENCRYPT_FROM);
    p->common.context = destination_context;
    if (!fault)
        fault = permit_question(call, call->subject, &q);
    if (fault)
        return fault;
    q.operation = GRANT_RE_ENCRYPT_TO;
    fault = permit_ask(call, &q, false);
    return fault ? fault : permit_state(call, call->subject);
}

const struct fault *re_encrypt(struct call *call)
{
    const struct re_encrypt_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct span plaintext = {NULL, 0};
    struct buf canonical;
    const struct fault *fault = crypto_check_algorithm(call, key, p->algorithm);
    if (!fault && !ciphertext_ignored(&p->common, &p->source))
        fault = open_source(call, &p->source, &p->source_context, &plaintext);
    if (!fault)
        fault = permit_dry_run(call);
    if (!fault)
        fault = crypto_context(call, &p->common.context, &canonical);
    if (fault)
        return fault;
    json_obj_begin(w);
    crypto_seal(call, key, buf_span(&canonical), plaintext, "CiphertextBlob");
    json_kcstr(w, "DestinationEncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    json_kcstr(w, "DestinationKeyMaterialId", key_current(key)->material_id);
    json_kcstr(w, "KeyId", key->arn);
    json_kcstr(w, "SourceEncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    json_kcstr(w, "SourceKeyId", p->source.key->arn);
    json_kcstr(w, "SourceKeyMaterialId", p->source.material->material_id);
    json_obj_end(w);
    buf_done(&canonical);
    return NULL;
}

bool re_encrypt_trail(struct json_write *w, struct call *call)
{
    const struct re_encrypt_params *p = call->params;
    if (call->fault)
        return false;
    if (w) {
        json_obj_begin(w);
        json_kcstr(w, "destinationKeyMaterialId", key_current(call->subject)->material_id);
        json_kcstr(w, "sourceKeyMaterialId", p->source.material->material_id);
        json_obj_end(w);
    }
    return true;
}
