// Ciphertexts of requests, for op_decrypt.c and op_re_encrypt.c. Those of symmetric keys name their key; those of
// asymmetric keys say nothing, so that the caller must name key and algorithm.
#include "kmsd/source.h"

#include <string.h>

#include "kmsd/crypto_pke.h"
#include "kmsd/encryption.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/permit.h"
#include "kmsd/resolve.h"

const char *const source_modifiers[] = {"IGNORE_CIPHERTEXT", NULL};

bool source_ignored(const struct call *call, const struct source *s)
{
    const struct kms_params *p = call->params;
    return p->dry_run.v && s->modifiers.n > 0 && s->key_id.p;
}

static void find_material(struct call *call, struct source *s)
{
    if (s->blob.p && encryption_is_symmetric(s->algorithm) && sealed_parse(s->blob, &s->parsed))
        s->material = keyring_material(kmsd_of(call)->keyring, s->parsed.backing_id, call->region);
}

// The key of a ciphertext that nobody named must be in this Region, and still be.
static const struct fault *resolve_by_ciphertext(struct call *call, struct source *s, const char *member)
{
    if (!encryption_is_symmetric(s->algorithm))
        return call_fault(call, &fault_validation, "%s must not be null", member);
    if (!s->material)
        return &fault_invalid_ciphertext;
    if (!s->material->key || strcmp(s->material->key->region, call->region) != 0)
        return permit_unknown(call, NULL);
    s->key = s->material->key;
    return NULL;
}

const struct fault *source_resolve(struct call *call, struct source *s, const char *member)
{
    bool ignored = source_ignored(call, s);
    // A call that had to wait comes here again: what was found then may be gone.
    s->key = NULL;
    s->material = NULL;
    if (!s->blob.p && !ignored)
        return call_fault(call, &fault_validation,
                          "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
                          "Member must not be null");
    if (!ignored)
        find_material(call, s);
    const struct fault *fault =
        s->key_id.p ? resolve_key_text(call, s->key_id, &s->key) : resolve_by_ciphertext(call, s, member);
    if (!fault)
        resolve_add_key(call, s->key);
    return fault;
}

const struct fault *source_authorize(struct call *call, const struct source *s, const char *action,
                                     enum grant_operation operation)
{
    struct authz_question q;
    const struct fault *fault = permit_question(call, s->key, &q);
    q.action = action;
    q.operation = operation;
    if (!fault)
        fault = permit_ask(call, &q, !s->key_id.p);
    // That it is not this key's ciphertext is told before the key's usage and state.
    if (!fault && s->material && s->material->key != s->key)
        fault = &fault_incorrect_key;
    return fault ? fault : permit_state(call, s->key);
}

static bool open_asymmetric(struct call *call, const struct source *s, const char *algorithm, struct span *plaintext)
{
    EVP_PKEY *pkey = material_pkey(key_current(s->key));
    unsigned char *to = call_secret_alloc(call, PKE_PLAINTEXT_MAX);
    plaintext->p = (char *)to;
    return pkey && pke_decrypt(pke_algorithm_find(algorithm), pkey, s->blob, to, &plaintext->n);
}

const struct fault *source_open(struct call *call, const struct source *s, const struct str_map *context,
                                struct span *plaintext, const char **algorithm)
{
    struct encryption e;
    // The form of a ciphertext is judged before the algorithm is compared with the key.
    if (encryption_is_symmetric(s->algorithm) && !s->material)
        return &fault_invalid_ciphertext;
    const struct fault *fault = encryption_prepare(call, s->key, s->algorithm, context, &e);
    if (fault)
        return fault;
    *algorithm = e.algorithm;
    if (s->material)
        return seal_open(call, XKS_FIRST, &s->parsed, s->material, e.context, plaintext);
    return open_asymmetric(call, s, e.algorithm, plaintext) ? NULL : &fault_invalid_ciphertext;
}
