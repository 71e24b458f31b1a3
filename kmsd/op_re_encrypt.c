// ReEncrypt.
#include "kmsd/op_re_encrypt.h"

#include "kmsd/encryption.h"
#include "kmsd/permit.h"
#include "kmsd/resolve.h"

#define AT(member_) PARAM_AT(re_encrypt_params, member_)

const struct param re_encrypt_rows[] = {
    {.name = "CiphertextBlob",
     .type = PARAM_BLOB,
     .offset = AT(source.blob),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_CIPHERTEXT_MAX},
    {.name = "SourceEncryptionContext", .type = PARAM_MAP, .offset = AT(source_context)},
    {.name = "SourceKeyId", .type = PARAM_STRING, .offset = AT(source.key_id), KEY_ID_FORM},
    {.name = "DestinationKeyId", .type = PARAM_STRING, .offset = AT(common.key_id), .required = true, KEY_ID_FORM},
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
    {.name = "DryRunModifiers", .type = PARAM_STRINGS, .offset = AT(source.modifiers), .choices = source_modifiers},
    {NULL},
};

const struct fault *re_encrypt_resolve(struct call *call)
{
    struct re_encrypt_params *p = call->params;
    p->common.action = "kms:ReEncryptFrom";
    const struct fault *fault = source_resolve(call, &p->source, "SourceKeyId");
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
    const struct fault *fault = source_authorize(call, &p->source, "kms:ReEncryptFrom", GRANT_RE_ENCRYPT_FROM);
    p->common.context = destination_context;
    if (!fault)
        fault = permit_question(call, call->subject, &q);
    if (fault)
        return fault;
    q.operation = GRANT_RE_ENCRYPT_TO;
    fault = permit_ask(call, &q, false);
    return fault ? fault : permit_state(call, call->subject);
}

// The material of a symmetric key, which answer and record tell; NULL: an asymmetric key has one only.
static const struct key_material *destination_material(const struct call *call)
{
    const struct key *key = call->subject;
    return key->spec->symmetric ? key_current(key) : NULL;
}

static const struct fault *write_reply(struct call *call, const struct encryption *e, struct span plaintext,
                                       const char *source_algorithm)
{
    const struct re_encrypt_params *p = call->params;
    struct json_write *w = &call->out;
    const struct key_material *material = destination_material(call);
    json_obj_begin(w);
    const struct fault *fault = encryption_seal(call, e, &plaintext, "CiphertextBlob");
    json_kcstr(w, "DestinationEncryptionAlgorithm", e->algorithm);
    if (material)
        json_kcstr(w, "DestinationKeyMaterialId", material->material_id);
    json_kcstr(w, "KeyId", e->key->arn);
    json_kcstr(w, "SourceEncryptionAlgorithm", source_algorithm);
    json_kcstr(w, "SourceKeyId", p->source.key->arn);
    if (p->source.material)
        json_kcstr(w, "SourceKeyMaterialId", p->source.material->material_id);
    json_obj_end(w);
    return fault;
}

const struct fault *re_encrypt(struct call *call)
{
    const struct re_encrypt_params *p = call->params;
    struct span plaintext = {NULL, 0};
    const char *source_algorithm = NULL;
    struct encryption e;
    const struct fault *fault = encryption_prepare(call, call->subject, p->algorithm, &p->common.context, &e);
    e.slot = XKS_SECOND;
    if (!fault && !source_ignored(call, &p->source))
        fault = source_open(call, &p->source, &p->source_context, &plaintext, &source_algorithm);
    if (!fault)
        fault = encryption_fits(call, &e, plaintext.n);
    if (!fault)
        fault = permit_dry_run(call);
    return fault ? fault : write_reply(call, &e, plaintext, source_algorithm);
}

bool re_encrypt_trail(struct json_write *w, struct call *call)
{
    const struct re_encrypt_params *p = call->params;
    if (call->fault)
        return false;
    const struct key_material *from = p->source.material, *to = destination_material(call);
    if (!from && !to)
        return false;
    if (w) {
        json_obj_begin(w);
        if (to)
            json_kcstr(w, "destinationKeyMaterialId", to->material_id);
        if (from)
            json_kcstr(w, "sourceKeyMaterialId", from->material_id);
        json_obj_end(w);
    }
    return true;
}
