// Sign and Verify. The order of the refusals is that of AWS's replies: whether the key has the algorithm, whether the
// algorithm takes such a message, its length, the signature.
#include "kmsd/op_sign.h"

#include <openssl/crypto.h>

#include "kmsd/crypto_sign.h"
#include "kmsd/faults.h"
#include "kmsd/key.h"
#include "kmsd/permit.h"

#define AT(member_) PARAM_AT(sign_params, member_)

static const char *const algorithms[] = {"RSASSA_PSS_SHA_256",
                                         "RSASSA_PSS_SHA_384",
                                         "RSASSA_PSS_SHA_512",
                                         "RSASSA_PKCS1_V1_5_SHA_256",
                                         "RSASSA_PKCS1_V1_5_SHA_384",
                                         "RSASSA_PKCS1_V1_5_SHA_512",
                                         "ECDSA_SHA_256",
                                         "ECDSA_SHA_384",
                                         "ECDSA_SHA_512",
                                         "ED25519_SHA_512",
                                         "ED25519_PH_SHA_512",
                                         "SM2DSA",
                                         "ML_DSA_SHAKE_256",
                                         NULL};
// Not in the enum, but refused as what no key of this kind has.
static const char *const no_signature[] = {"SYMMETRIC_DEFAULT", NULL};

#define ROW_MESSAGE                                                                                                    \
    {                                                                                                                  \
        .name = "Message", .type = PARAM_BLOB, .offset = AT(message), .required = true, .sensitive = true,             \
        .trail = PARAM_HIDDEN, .min = 1, .max = KMS_PLAINTEXT_MAX                                                      \
    }
#define ROW_MESSAGE_TYPE                                                                                               \
    {                                                                                                                  \
        .name = "MessageType", .type = PARAM_STRING, .offset = AT(message_type), .choices = message_type_names,        \
        .trail_default = "RAW"                                                                                         \
    }
#define ROW_ALGORITHM                                                                                                  \
    {                                                                                                                  \
        .name = "SigningAlgorithm", .type = PARAM_STRING, .offset = AT(algorithm), .required = true,                   \
        .choices = algorithms, .also = no_signature                                                                    \
    }

const struct param sign_rows[] = {
    ROW_KEY_ID, ROW_MESSAGE, ROW_MESSAGE_TYPE, ROW_GRANT_TOKENS, ROW_ALGORITHM, ROW_DRY_RUN, {NULL},
};
const struct param verify_rows[] = {
    ROW_KEY_ID,
    ROW_MESSAGE,
    ROW_MESSAGE_TYPE,
    {.name = "Signature",
     .type = PARAM_BLOB,
     .offset = AT(signature),
     .required = true,
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = SIGNATURE_MAX},
    ROW_ALGORITHM,
    ROW_GRANT_TOKENS,
    ROW_DRY_RUN,
    {NULL},
};

static const struct sign_algorithm *algorithm_of(const struct key *key, struct span name)
{
    for (const char *const *a = key->spec->algorithms[USAGE_SIGN_VERIFY]; *a; a++)
        if (span_is(name, *a))
            return sign_algorithm_find(name);
    return NULL;
}

// The sentence names the algorithm where another one of the key takes such a message.
static const struct fault *wrong_type(struct call *call, const struct key *key, const struct signing *s)
{
    const char *type = message_type_names[s->type];
    for (const char *const *a = key->spec->algorithms[USAGE_SIGN_VERIFY]; *a; a++)
        if (sign_algorithm_find(span_of(*a))->types >> s->type & 1)
            return call_fault(call, &fault_validation, "Message type %s is incompatible with algorithm %s.", type,
                              s->algorithm->name);
    return call_fault(call, &fault_validation, "Message type %s is incompatible with key spec %s.", type,
                      key->spec->name);
}

static const struct fault *prepare(struct call *call, struct signing *s)
{
    const struct sign_params *p = call->params;
    const struct key *key = call->subject;
    *s = (struct signing){algorithm_of(key, p->algorithm), message_type_find(p->message_type), p->message, NULL};
    if (!s->algorithm)
        return call_fault(call, &fault_invalid_key_usage, "Algorithm %.*s is incompatible with key spec %s.",
                          (int)p->algorithm.n, p->algorithm.p, key->spec->name);
    if (!(s->algorithm->types >> s->type & 1))
        return wrong_type(call, key, s);
    if (s->type != MESSAGE_RAW && p->message.n != s->algorithm->digest_n)
        return call_fault(call, &fault_validation, "Digest is invalid length for algorithm %s.", s->algorithm->name);
    if (!sign_available(s->algorithm, s->type))
        return call_fault(call, &fault_unsupported,
                          "Algorithm %s with message type %s is not supported by %s, which kmsd is linked with.",
                          s->algorithm->name, message_type_names[s->type], OpenSSL_version(OPENSSL_VERSION));
    s->pkey = material_pkey(key_current(key));
    return s->pkey ? NULL : &fault_internal;
}

const struct fault *sign(struct call *call)
{
    struct json_write *w = &call->out;
    const struct key *key = call->subject;
    struct signing s;
    unsigned char signature[SIGNATURE_MAX];
    size_t n;
    const struct fault *fault = prepare(call, &s);
    if (!fault)
        fault = permit_dry_run(call);
    if (!fault && !crypto_sign(&s, signature, &n))
        fault = &fault_internal;
    if (fault)
        return fault;
    json_obj_begin(w);
    json_kcstr(w, "KeyId", key->arn);
    json_key(w, "Signature");
    json_base64(w, (struct span){(char *)signature, n});
    json_kcstr(w, "SigningAlgorithm", s.algorithm->name);
    json_obj_end(w);
    return NULL;
}

const struct fault *verify(struct call *call)
{
    const struct sign_params *p = call->params;
    struct json_write *w = &call->out;
    const struct key *key = call->subject;
    struct signing s;
    const struct fault *fault = prepare(call, &s);
    if (!fault && !crypto_verify(&s, p->signature))
        fault = &fault_wrong_signature;
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    json_obj_begin(w);
    json_kcstr(w, "KeyId", key->arn);
    json_kbool(w, "SignatureValid", true);
    json_kcstr(w, "SigningAlgorithm", s.algorithm->name);
    json_obj_end(w);
    return NULL;
}
