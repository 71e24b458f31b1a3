// GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext: key pairs for use outside of KMS, whose private key is
// sealed under a symmetric key.
#include "kmsd/op_data_key_pair.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "kmsd/encryption.h"
#include "kmsd/faults.h"
#include "kmsd/key_maker.h"
#include "kmsd/key_type.h"
#include "kmsd/kmsd.h"
#include "kmsd/permit.h"
#include "kmsd/recipient.h"
#include "kmsd/resolve.h"

// In the order of CreateKey's recorded message; there is no record of this member's.
static const char *const pair_specs[] = {"RSA_2048",      "ECC_NIST_P384", "ECC_NIST_P256",
                                         "ECC_NIST_P521", "RSA_3072",      "ECC_SECG_P256K1",
                                         "RSA_4096",      "SM2",           NULL};
static const char *const later_specs[] = {"ECC_NIST_EDWARDS25519", NULL};

#define PAIR_ROWS                                                                                                      \
    ROW_KEY_ID, ROW_CONTEXT,                                                                                           \
        {.name = "KeyPairSpec",                                                                                        \
         .type = PARAM_STRING,                                                                                         \
         .offset = PARAM_AT(data_key_pair_params, spec_name),                                                          \
         .required = true,                                                                                             \
         .choices = pair_specs,                                                                                        \
         .also = later_specs},                                                                                         \
        ROW_GRANT_TOKENS, ROW_DRY_RUN

const struct param generate_data_key_pair_rows[] = {
    PAIR_ROWS,
    ROW_RECIPIENT,
    {NULL},
};
const struct param generate_data_key_pair_without_plaintext_rows[] = {PAIR_ROWS, {NULL}};

const struct fault *generate_data_key_pair_resolve(struct call *call)
{
    struct data_key_pair_params *p = call->params;
    p->spec = key_spec_find(p->spec_name);
    if (!key_spec_in_region(p->spec, call->region))
        return call_fault(call, &fault_unsupported, "KeyPairSpec %s is not supported in this Region", p->spec->name);
    if (p->spec->type->available && !p->spec->type->available(p->spec))
        return call_fault(call, &fault_unsupported, "KeyPairSpec %s is not supported by %s, which kmsd is linked with.",
                          p->spec->name, OpenSSL_version(OPENSSL_VERSION));
    const struct fault *fault = resolve_key(call);
    return fault ? fault : recipient_resolve(call);
}

static const struct fault *write_public(struct call *call, struct span pkcs8)
{
    struct buf der;
    EVP_PKEY *pkey = key_type_load(pkcs8);
    buf_init(&der, KMS_PUBLIC_KEY_MAX);
    bool ok = pkey && key_type_public(pkey, &der);
    EVP_PKEY_free(pkey);
    json_key(&call->out, "PublicKey");
    json_base64(&call->out, buf_span(&der));
    buf_done(&der);
    return ok ? NULL : &fault_internal;
}

static const struct fault *write_reply(struct call *call, const struct encryption *e, struct span pkcs8,
                                       bool with_plaintext)
{
    const struct data_key_pair_params *p = call->params;
    struct json_write *w = &call->out;
    json_obj_begin(w);
    json_kcstr(w, "KeyId", e->key->arn);
    json_kcstr(w, "KeyMaterialId", key_current(e->key)->material_id);
    json_kcstr(w, "KeyPairSpec", p->spec->name);
    const struct fault *fault = encryption_seal(call, e, &pkcs8, "PrivateKeyCiphertextBlob");
    if (!fault && with_plaintext)
        fault = recipient_write(call, "PrivateKeyPlaintext", pkcs8);
    if (!fault)
        fault = write_public(call, pkcs8);
    json_obj_end(w);
    return fault;
}

static const struct fault *generate(struct call *call, bool with_plaintext)
{
    const struct data_key_pair_params *p = call->params;
    const struct key *key = call->subject;
    struct encryption e;
    struct secret pkcs8 = {NULL, 0};
    const struct fault *fault = &fault_asymmetric_data_key;
    if (key->spec->symmetric)
        fault = encryption_prepare(call, key, (struct span){NULL, 0}, &p->common.context, &e);
    if (!fault)
        fault = permit_dry_run(call);
    if (!fault)
        fault = key_maker_make(kmsd_of(call)->key_maker, call, p->spec, &pkcs8);
    if (fault)
        return fault;
    call->subject2 = key_current(key);
    fault = write_reply(call, &e, secret_span(&pkcs8), with_plaintext);
    secret_done(&pkcs8);
    return fault;
}

const struct fault *generate_data_key_pair(struct call *call)
{
    return generate(call, true);
}

const struct fault *generate_data_key_pair_without_plaintext(struct call *call)
{
    return generate(call, false);
}
