// DeriveSharedSecret.
#include "kmsd/op_shared_secret.h"

#include <openssl/evp.h>

#include "kmsd/crypto_agree.h"
#include "kmsd/faults.h"
#include "kmsd/permit.h"
#include "kmsd/recipient.h"
#include "kmsd/resolve.h"

#define AT(member_) PARAM_AT(shared_secret_params, member_)

static const char *const algorithms[] = {"ECDH", NULL};

const struct param derive_shared_secret_rows[] = {
    ROW_KEY_ID,
    {.name = "KeyAgreementAlgorithm",
     .type = PARAM_STRING,
     .offset = AT(algorithm),
     .required = true,
     .choices = algorithms},
    {.name = "PublicKey",
     .type = PARAM_BLOB,
     .offset = AT(public_key),
     .required = true,
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_PUBLIC_KEY_MAX},
    ROW_GRANT_TOKENS,
    ROW_DRY_RUN,
    ROW_RECIPIENT,
    {NULL},
};

const struct fault *derive_shared_secret_resolve(struct call *call)
{
    const struct fault *fault = resolve_key(call);
    return fault ? fault : recipient_resolve(call);
}

static const struct fault *derive(struct call *call, EVP_PKEY *own, EVP_PKEY *peer)
{
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    unsigned char *secret = call_secret_alloc(call, AGREE_SECRET_MAX);
    size_t n;
    const struct fault *fault = permit_dry_run(call);
    if (!fault && !agree_derive(own, peer, secret, &n))
        fault = &fault_internal;
    if (fault)
        return fault;
    json_obj_begin(w);
    json_kcstr(w, "KeyAgreementAlgorithm", algorithms[0]);
    json_kcstr(w, "KeyId", key->arn);
    json_kcstr(w, "KeyOrigin", key_origin_names[key->origin]);
    fault = recipient_write(call, "SharedSecret", (struct span){(char *)secret, n});
    json_obj_end(w);
    return fault;
}

// AWS says no more about a public key that does not fit than that it is not valid.
const struct fault *derive_shared_secret(struct call *call)
{
    const struct shared_secret_params *p = call->params;
    EVP_PKEY *own = material_pkey(key_current(call->subject));
    if (!own)
        return &fault_internal;
    EVP_PKEY *peer = agree_peer(own, p->public_key);
    const struct fault *fault = peer ? derive(call, own, peer) : &fault_validation;
    EVP_PKEY_free(peer);
    return fault;
}
