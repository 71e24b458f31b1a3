// GetParametersForImport: a wrapping key pair, made for this call. Making it takes long, so it does not happen under
// the keyring's lock; then the call starts again and finds it.
#include <openssl/evp.h>
#include <string.h>

#include "kmsd/arn.h"
#include "kmsd/faults.h"
#include "kmsd/import_token.h"
#include "kmsd/key_maker.h"
#include "kmsd/key_type.h"
#include "kmsd/kmsd.h"
#include "kmsd/op_import.h"

#define VALID_NS (INT64_C(86400) * NS_PER_S)
#define PUBLIC_KEY_MAX 4096

const struct param import_parameters_rows[] = {
    ROW_KEY_ID,
    {.name = "WrappingAlgorithm",
     .type = PARAM_STRING,
     .offset = PARAM_AT(import_parameters_params, algorithm),
     .required = true,
     .choices = wrapping_names},
    {.name = "WrappingKeySpec",
     .type = PARAM_STRING,
     .offset = PARAM_AT(import_parameters_params, spec),
     .required = true,
     .choices = wrapping_key_specs},
    {NULL},
};

static const struct fault *check(struct call *call, enum wrapping w, const struct key_spec *spec)
{
    const struct key *key = call->subject;
    bool china = arn_in_china(call->region);
    if (w == WRAPPING_RSAES_PKCS1_V1_5)
        return call_fault(call, &fault_unsupported,
                          "WrappingAlgorithm RSAES_PKCS1_V1_5 is not supported any more. Use RSAES_OAEP_SHA_256, "
                          "RSAES_OAEP_SHA_1, RSA_AES_KEY_WRAP_SHA_256 or RSA_AES_KEY_WRAP_SHA_1.");
    if (!wrapping_allowed(w, spec, key->spec, china))
        return call_fault(
            call, &fault_unsupported,
            "WrappingAlgorithm %s with WrappingKeySpec %s is not supported for KeySpec %s in this Region.",
            wrapping_names[w], spec->name, key->spec->name);
    return NULL;
}

static const struct fault *reply(struct call *call, enum wrapping w, struct secret *wrapping_key)
{
    const struct key *key = call->subject;
    struct json_write *out = &call->out;
    struct buf der, token;
    struct import_token t = {.wrapping = w, .valid_to_ns = clock_after(call->time_ns, VALID_NS)};
    memcpy(t.arn, key->arn, strlen(key->arn) + 1);
    EVP_PKEY *pkey = key_type_load(secret_span(wrapping_key));
    buf_init(&der, PUBLIC_KEY_MAX);
    buf_init(&token, IMPORT_TOKEN_MAX);
    secret_take(&t.wrapping_key, wrapping_key);
    import_token_write(keyring_root(kmsd_of(call)->keyring), &t, &token);
    bool ok = pkey && key_type_public(pkey, &der) && buf_ok(&token);
    if (ok) {
        json_obj_begin(out);
        json_key(out, "ImportToken");
        json_base64(out, buf_span(&token));
        json_kcstr(out, "KeyId", key->arn);
        json_kepoch(out, "ParametersValidTo", t.valid_to_ns);
        json_key(out, "PublicKey");
        json_base64(out, buf_span(&der));
        json_obj_end(out);
    }
    import_token_done(&t);
    EVP_PKEY_free(pkey);
    buf_done(&der);
    buf_done(&token);
    return ok ? NULL : &fault_internal;
}

const struct fault *get_parameters_for_import(struct call *call)
{
    const struct import_parameters_params *p = call->params;
    const struct key_spec *spec = key_spec_find(p->spec);
    struct secret wrapping_key = {0};
    enum wrapping w;
    if (!spec || !wrapping_find(p->algorithm, &w))
        return &fault_internal;
    const struct fault *fault = check(call, w, spec);
    if (!fault)
        fault = key_maker_make(kmsd_of(call)->key_maker, call, spec, &wrapping_key);
    if (!fault)
        fault = reply(call, w, &wrapping_key);
    secret_done(&wrapping_key);
    return fault;
}
