// Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateRandom.
#include "kmsd/op_crypto.h"
#include "common/base/rng.h"
#include "kmsd/enc_context.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/permit.h"
#include "kmsd/resolve.h"

const char *const encryption_algorithms[] = {"SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE",
                                             NULL};

// ---- shared ----

const struct fault *crypto_check_algorithm(struct call *call, const struct key *key, struct span algorithm)
{
    if (!algorithm.p)
        algorithm = SPAN("SYMMETRIC_DEFAULT");
    for (const char *const *a = key->spec->algorithms[USAGE_ENCRYPT_DECRYPT]; *a; a++)
        if (span_is(algorithm, *a))
            return key->spec->symmetric
                       ? NULL
                       : call_fault(call, &fault_unsupported, "Algorithm %s is not supported yet.", *a);
    return call_fault(call, &fault_invalid_key_usage, "Algorithm %.*s is incompatible with key spec %s.",
                      (int)algorithm.n, algorithm.p, key->spec->name);
}

const struct fault *crypto_context(struct call *call, const struct str_map *context, struct buf *canonical)
{
    buf_init(canonical, 256 * 1024);
    if (enc_context_canonical(context, canonical))
        return NULL;
    buf_done(canonical);
    return call_fault(call, &fault_validation, "The encryption context is longer than %d bytes.",
                      KMS_CONTEXT_BYTES_MAX);
}

void crypto_seal(struct call *call, const struct key *key, struct span canonical, struct span plaintext,
                 const char *member)
{
    struct key_material *m = key_current(key);
    size_t n = ciphertext_size(plaintext.n);
    unsigned char *blob = arena_alloc(&call->arena, n);
    ciphertext_seal(m->backing_id, m->bytes.p, canonical, plaintext, blob);
    json_key(&call->out, member);
    json_base64(&call->out, (struct span){(char *)blob, n});
}

const struct fault *crypto_no_recipient(struct call *call, const json_t *recipient)
{
    return recipient ? call_fault(call, &fault_unsupported, "Recipient is not supported yet.") : NULL;
}

bool crypto_trail_material(struct json_write *w, struct call *call)
{
    const struct key_material *m = call->subject2;
    if (call->fault || !m)
        return false;
    if (w) {
        json_obj_begin(w);
        json_kcstr(w, "keyMaterialId", m->material_id);
        json_obj_end(w);
    }
    return true;
}

// ---- Encrypt ----

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
    struct buf canonical;
    const struct fault *fault = crypto_check_algorithm(call, key, p->algorithm);
    if (!fault)
        fault = permit_dry_run(call);
    if (!fault)
        fault = crypto_context(call, &p->common.context, &canonical);
    if (fault)
        return fault;
    call->subject2 = key_current(key);
    json_obj_begin(w);
    crypto_seal(call, key, buf_span(&canonical), p->plaintext, "CiphertextBlob");
    json_kcstr(w, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    json_kcstr(w, "KeyId", key->arn);
    json_obj_end(w);
    buf_done(&canonical);
    return NULL;
}

// ---- data keys ----

static const char *const data_key_specs[] = {"AES_256", "AES_128", NULL};

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
         .choices = data_key_specs},                                                                                   \
        ROW_GRANT_TOKENS, ROW_DRY_RUN

const struct param generate_data_key_rows[] = {
    DATA_KEY_ROWS,
    {.name = "Recipient", .type = PARAM_JSON, .offset = PARAM_AT(data_key_params, recipient), .trail = PARAM_HIDDEN},
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
    const struct data_key_params *p = call->params;
    const struct fault *fault = data_key_size(call, &n);
    if (!fault)
        fault = crypto_no_recipient(call, p->recipient);
    return fault ? fault : resolve_key(call);
}

static const struct fault *make_data_key(struct call *call, bool with_plaintext)
{
    const struct data_key_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct buf canonical;
    size_t n = 0;
    const struct fault *fault = key->spec->symmetric ? permit_dry_run(call) : &fault_asymmetric_data_key;
    if (!fault)
        fault = data_key_size(call, &n);
    if (!fault)
        fault = crypto_context(call, &p->common.context, &canonical);
    if (fault)
        return fault;
    struct span plaintext = {call_secret_alloc(call, n), n};
    rng_secret((void *)(uintptr_t)plaintext.p, n);
    call->subject2 = key_current(key);
    json_obj_begin(w);
    crypto_seal(call, key, buf_span(&canonical), plaintext, "CiphertextBlob");
    json_kcstr(w, "KeyId", key->arn);
    json_kcstr(w, "KeyMaterialId", key_current(key)->material_id);
    if (with_plaintext) {
        json_key(w, "Plaintext");
        json_base64(w, plaintext);
    }
    json_obj_end(w);
    buf_done(&canonical);
    return NULL;
}

const struct fault *generate_data_key(struct call *call)
{
    return make_data_key(call, true);
}

const struct fault *generate_data_key_without_plaintext(struct call *call)
{
    return make_data_key(call, false);
}

// ---- GenerateRandom ----

const struct param generate_random_rows[] = {
    {.name = "NumberOfBytes",
     .type = PARAM_INTEGER,
     .offset = PARAM_AT(random_params, bytes),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_RANDOM_MAX},
    {.name = "CustomKeyStoreId",
     .type = PARAM_STRING,
     .offset = PARAM_AT(random_params, custom_key_store_id),
     .min = 1,
     .max = 64},
    {.name = "Recipient", .type = PARAM_JSON, .offset = PARAM_AT(random_params, recipient), .trail = PARAM_HIDDEN},
    {NULL},
};

const struct fault *generate_random(struct call *call)
{
    const struct random_params *p = call->params;
    struct json_write *w = &call->out;
    if (!p->bytes.set)
        return call_fault(call, &fault_validation, "NumberOfBytes is required.");
    if (p->custom_key_store_id.p)
        return call_fault(call, &fault_unsupported, "Custom key stores are not supported yet.");
    const struct fault *fault = crypto_no_recipient(call, p->recipient);
    if (fault)
        return fault;
    size_t n = (size_t)p->bytes.v;
    void *bytes = call_secret_alloc(call, n);
    rng_secret(bytes, n);
    json_obj_begin(w);
    json_key(w, "Plaintext");
    json_base64(w, (struct span){bytes, n});
    json_obj_end(w);
    return NULL;
}
