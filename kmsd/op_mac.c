// GenerateMac and VerifyMac.
#include "kmsd/op_mac.h"

#include "kmsd/crypto_mac.h"
#include "kmsd/faults.h"
#include "kmsd/key.h"
#include "kmsd/permit.h"

#define AT(member_) PARAM_AT(mac_params, member_)
#define MAC_MAX 6144 // of a request's Mac: the model's CiphertextType

// The order of the recorded message.
static const char *const algorithms[] = {"HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512", NULL};

#define ROW_MESSAGE                                                                                                    \
    {                                                                                                                  \
        .name = "Message", .type = PARAM_BLOB, .offset = AT(message), .required = true, .sensitive = true,             \
        .trail = PARAM_HIDDEN, .min = 1, .max = KMS_PLAINTEXT_MAX                                                      \
    }
#define ROW_ALGORITHM                                                                                                  \
    {                                                                                                                  \
        .name = "MacAlgorithm", .type = PARAM_STRING, .offset = AT(algorithm), .required = true, .choices = algorithms \
    }

const struct param generate_mac_rows[] = {
    ROW_MESSAGE, ROW_KEY_ID, ROW_ALGORITHM, ROW_GRANT_TOKENS, ROW_DRY_RUN, {NULL},
};
const struct param verify_mac_rows[] = {
    ROW_MESSAGE,
    ROW_KEY_ID,
    ROW_ALGORITHM,
    {.name = "Mac",
     .type = PARAM_BLOB,
     .offset = AT(mac),
     .required = true,
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = MAC_MAX},
    ROW_GRANT_TOKENS,
    ROW_DRY_RUN,
    {NULL},
};

static const struct fault *make_mac(struct call *call, unsigned char mac[MAC_SIZE_MAX], size_t *n)
{
    const struct mac_params *p = call->params;
    const struct key *key = call->subject;
    // A key has the one algorithm of its size.
    if (!span_is(p->algorithm, key->spec->algorithms[USAGE_GENERATE_VERIFY_MAC][0]))
        return call_fault(call, &fault_invalid_key_usage, "Algorithm %.*s is incompatible with key spec %s.",
                          (int)p->algorithm.n, p->algorithm.p, key->spec->name);
    bool ok = crypto_mac(p->algorithm, secret_span(&key_current(key)->bytes), p->message, mac, n);
    return ok ? NULL : &fault_internal;
}

const struct fault *generate_mac(struct call *call)
{
    const struct mac_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    unsigned char mac[MAC_SIZE_MAX];
    size_t n;
    const struct fault *fault = make_mac(call, mac, &n);
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    json_obj_begin(w);
    json_kcstr(w, "KeyId", key->arn);
    json_key(w, "Mac");
    json_base64(w, (struct span){(char *)mac, n});
    json_kstr(w, "MacAlgorithm", p->algorithm);
    json_obj_end(w);
    return NULL;
}

const struct fault *verify_mac(struct call *call)
{
    const struct mac_params *p = call->params;
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    unsigned char mac[MAC_SIZE_MAX];
    size_t n;
    const struct fault *fault = make_mac(call, mac, &n);
    if (!fault && !secret_eq(p->mac, (struct span){(char *)mac, n}))
        fault = &fault_wrong_mac;
    if (!fault)
        fault = permit_dry_run(call);
    if (fault)
        return fault;
    json_obj_begin(w);
    json_kcstr(w, "KeyId", key->arn);
    json_kstr(w, "MacAlgorithm", p->algorithm);
    json_kbool(w, "MacValid", true);
    json_obj_end(w);
    return NULL;
}
