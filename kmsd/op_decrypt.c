// Decrypt.
#include "kmsd/op_decrypt.h"

#include "kmsd/encryption.h"
#include "kmsd/permit.h"
#include "kmsd/recipient.h"

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
    {.name = "KeyId", .type = PARAM_STRING, .offset = AT(source.key_id), KEY_ID_FORM},
    {.name = "EncryptionAlgorithm",
     .type = PARAM_STRING,
     .offset = AT(source.algorithm),
     .choices = encryption_algorithms,
     .trail_default = "SYMMETRIC_DEFAULT"},
    ROW_RECIPIENT,
    ROW_DRY_RUN,
    {.name = "DryRunModifiers", .type = PARAM_STRINGS, .offset = AT(source.modifiers), .choices = source_modifiers},
    {NULL},
};

const struct fault *decrypt_resolve(struct call *call)
{
    struct decrypt_params *p = call->params;
    const struct fault *fault = source_resolve(call, &p->source, "KeyId");
    call->subject = p->source.key;
    return fault ? fault : recipient_resolve(call);
}

const struct fault *decrypt_authorize(struct call *call)
{
    const struct decrypt_params *p = call->params;
    return source_authorize(call, &p->source, "kms:Decrypt", GRANT_DECRYPT);
}

const struct fault *decrypt(struct call *call)
{
    const struct decrypt_params *p = call->params;
    struct json_write *w = &call->out;
    struct span plaintext;
    const char *algorithm;
    if (source_ignored(call, &p->source))
        return permit_dry_run(call);
    const struct fault *fault = source_open(call, &p->source, &p->common.context, &plaintext, &algorithm);
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    call->subject2 = (void *)(uintptr_t)p->source.material;
    json_obj_begin(w);
    json_kcstr(w, "EncryptionAlgorithm", algorithm);
    json_kcstr(w, "KeyId", p->source.key->arn);
    if (p->source.material && !p->common.recipient.set)
        json_kcstr(w, "KeyMaterialId", p->source.material->material_id);
    fault = recipient_write(call, "Plaintext", plaintext);
    json_obj_end(w);
    return fault;
}
