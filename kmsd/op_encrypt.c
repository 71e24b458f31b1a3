// Encrypt.
#include "kmsd/op_encrypt.h"

#include "kmsd/encryption.h"
#include "kmsd/permit.h"

const struct param encrypt_rows[] = {
    ROW_KEY_ID,
    {.name = "Plaintext",
     .type = PARAM_BLOB,
     .offset = PARAM_AT(encrypt_params, plaintext),
     .required = true,
     .sensitive = true,
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_PLAINTEXT_MAX},
    ROW_CONTEXT,
    ROW_GRANT_TOKENS,
    {.name = "EncryptionAlgorithm",
     .type = PARAM_STRING,
     .offset = PARAM_AT(encrypt_params, algorithm),
     .choices = encryption_algorithms,
     .trail_default = "SYMMETRIC_DEFAULT"},
    ROW_DRY_RUN,
    {NULL},
};

const struct fault *encrypt(struct call *call)
{
    const struct encrypt_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct span plaintext = p->plaintext;
    struct encryption e;
    const struct fault *fault = encryption_prepare(call, key, p->algorithm, &p->common.context, &e);
    if (!fault)
        fault = encryption_fits(call, &e, p->plaintext.n);
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    json_obj_begin(w);
    fault = encryption_seal(call, &e, &plaintext, "CiphertextBlob");
    json_kcstr(w, "EncryptionAlgorithm", e.algorithm);
    json_kcstr(w, "KeyId", key->arn);
    json_obj_end(w);
    call->subject2 = key->spec->symmetric ? key_current(key) : NULL;
    return fault;
}
