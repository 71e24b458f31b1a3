// GenerateDataKey and GenerateDataKeyWithoutPlaintext. Pairs of keys are op_data_key_pair.c's.
#include "kmsd/op_data_key.h"

#include "common/base/rng.h"
#include "kmsd/encryption.h"
#include "kmsd/faults.h"
#include "kmsd/permit.h"
#include "kmsd/recipient.h"
#include "kmsd/resolve.h"

static const char *const data_key_specs[] = {"AES_256", "AES_128", NULL};
// AWS takes the two above and speaks of the specs of KMS keys (recorded in 2026).
static const char *const told_specs[] = {"RSA_2048",          "RSA_3072",
                                         "RSA_4096",          "ECC_NIST_P256",
                                         "ECC_NIST_P384",     "ECC_NIST_P521",
                                         "ECC_SECG_P256K1",   "ECC_NIST_EDWARDS25519",
                                         "SYMMETRIC_DEFAULT", "HMAC_224",
                                         "HMAC_256",          "HMAC_384",
                                         "HMAC_512",          "SM2",
                                         "ML_DSA_44",         "ML_DSA_65",
                                         "ML_DSA_87",         NULL};

#define DATA_KEY_ROWS                                                                                                  \
    ROW_KEY_ID, ROW_CONTEXT,                                                                                           \
        {.name = "NumberOfBytes",                                                                                      \
         .type = PARAM_INTEGER,                                                                                        \
         .offset = PARAM_AT(data_key_params, bytes),                                                                   \
         .min = 1,                                                                                                     \
         .max = KMS_RANDOM_MAX},                                                                                       \
        {.name = "KeySpec",                                                                                            \
         .type = PARAM_STRING,                                                                                         \
         .offset = PARAM_AT(data_key_params, spec),                                                                    \
         .choices = data_key_specs,                                                                                    \
         .shown = told_specs},                                                                                         \
        ROW_GRANT_TOKENS, ROW_DRY_RUN

const struct param generate_data_key_rows[] = {
    DATA_KEY_ROWS,
    ROW_RECIPIENT,
    {NULL},
};
const struct param generate_data_key_without_plaintext_rows[] = {DATA_KEY_ROWS, {NULL}};

static const struct fault *data_key_size(struct call *call, size_t *n)
{
    const struct data_key_params *p = call->params;
    if (p->bytes.set == (p->spec.p != NULL))
        return call_fault(call, &fault_validation, "Please specify either number of bytes or key spec.");
    *n = p->bytes.set ? (size_t)p->bytes.v : span_is(p->spec, "AES_256") ? 32 : 16;
    return NULL;
}

const struct fault *generate_data_key_resolve(struct call *call)
{
    size_t n;
    const struct fault *fault = data_key_size(call, &n);
    if (!fault)
        fault = resolve_key(call);
    return fault ? fault : recipient_resolve(call);
}

static const struct fault *make_data_key(struct call *call, bool with_plaintext)
{
    const struct data_key_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct encryption e;
    size_t n = 0;
    const struct fault *fault = key->spec->symmetric ? data_key_size(call, &n) : &fault_asymmetric_data_key;
    if (!fault)
        fault = encryption_prepare(call, key, (struct span){NULL, 0}, &p->common.context, &e);
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    struct span plaintext = {call_secret_alloc(call, n), n};
    rng_secret((void *)(uintptr_t)plaintext.p, n);
    e.data_key = true;
    json_obj_begin(w);
    fault = encryption_seal(call, &e, &plaintext, "CiphertextBlob");
    json_kcstr(w, "KeyId", key->arn);
    if (!p->common.recipient.set)
        json_kcstr(w, "KeyMaterialId", key_current(key)->material_id);
    if (!fault && with_plaintext)
        fault = recipient_write(call, "Plaintext", plaintext);
    json_obj_end(w);
    call->subject2 = key_current(key);
    return fault;
}

const struct fault *generate_data_key(struct call *call)
{
    return make_data_key(call, true);
}

const struct fault *generate_data_key_without_plaintext(struct call *call)
{
    return make_data_key(call, false);
}
