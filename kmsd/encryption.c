// The two ways of encrypting under a KMS key, behind one door for the operations (op_encrypt.c, op_data_key.c, …).
#include "kmsd/encryption.h"

#include "kmsd/crypto_pke.h"
#include "kmsd/enc_context.h"
#include "kmsd/faults.h"
#include "kmsd/limits.h"
#include "kmsd/recipient.h"

#define SYMMETRIC "SYMMETRIC_DEFAULT"

const char *const encryption_algorithms[] = {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", SYMMETRIC, NULL};

bool encryption_is_symmetric(struct span algorithm)
{
    return !algorithm.p || span_is(algorithm, SYMMETRIC);
}

static const struct fault *canonical(struct call *call, const struct str_map *context, struct span *out)
{
    struct buf b;
    buf_init(&b, 256 * 1024);
    bool ok = enc_context_canonical(context, &b);
    struct span text = buf_span(&b);
    if (ok)
        *out = (struct span){arena_strndup(&call->arena, text.p, text.n), text.n};
    buf_done(&b);
    return ok ? NULL
              : call_fault(call, &fault_validation, "The encryption context is longer than %d bytes.",
                           KMS_CONTEXT_BYTES_MAX);
}

const struct fault *encryption_prepare(struct call *call, const struct key *key, struct span algorithm,
                                       const struct str_map *context, struct encryption *out)
{
    *out = (struct encryption){.key = key};
    if (!algorithm.p)
        algorithm = SPAN(SYMMETRIC);
    for (const char *const *a = key->spec->algorithms[USAGE_ENCRYPT_DECRYPT]; *a; a++)
        if (span_is(algorithm, *a))
            out->algorithm = *a;
    if (!out->algorithm)
        return call_fault(call, &fault_invalid_key_usage, "Algorithm %.*s is incompatible with key spec %s.",
                          (int)algorithm.n, algorithm.p, key->spec->name);
    if (key->spec->symmetric)
        return canonical(call, context, &out->context);
    if (context->n)
        return call_fault(call, &fault_validation,
                          "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.");
    return NULL;
}

const struct fault *encryption_fits(struct call *call, const struct encryption *e, size_t n)
{
    const struct key_spec *spec = e->key->spec;
    size_t max = spec->symmetric ? KMS_PLAINTEXT_MAX : pke_plaintext_max(pke_algorithm_find(e->algorithm), spec->bits);
    if (n <= max)
        return NULL;
    return call_fault(call, &fault_validation,
                      "Algorithm %s and key spec %s cannot encrypt data larger than %zu bytes.", e->algorithm,
                      spec->name, max);
}

static bool seal_asymmetric(const struct encryption *e, struct span plaintext, unsigned char *out, size_t *n)
{
    EVP_PKEY *pkey = material_pkey(key_current(e->key));
    return pkey && pke_encrypt(pke_algorithm_find(e->algorithm), pkey, plaintext, out, n);
}

static const struct fault *encrypt(struct call *call, const struct encryption *e, struct span *plaintext,
                                   struct span *blob)
{
    if (e->key->spec->symmetric)
        return seal(call, e->slot, e->key, e->context, e->data_key, plaintext, blob);
    unsigned char *to = arena_alloc(&call->arena, PKE_CIPHERTEXT_MAX);
    *blob = (struct span){(char *)to, PKE_CIPHERTEXT_MAX};
    return seal_asymmetric(e, *plaintext, to, &blob->n) ? NULL : &fault_internal;
}

const struct fault *encryption_seal(struct call *call, const struct encryption *e, struct span *plaintext,
                                    const char *member)
{
    struct span blob;
    const struct fault *fault = encrypt(call, e, plaintext, &blob);
    if (fault)
        return fault;
    json_key(&call->out, member);
    json_base64(&call->out, blob);
    return NULL;
}

bool encryption_trail_material(struct json_write *w, struct call *call)
{
    bool attested = recipient_trail(NULL, call);
    bool about_key = !call->fault || call->fault == &fault_invalid_state;
    const struct key *key = about_key ? call->subject : NULL;
    const struct key_material *material = call->fault || attested ? NULL : call->subject2;
    bool told = seal_trail(NULL, key, material) || attested;
    if (!told || !w)
        return told;
    json_obj_begin(w);
    seal_trail(w, key, material);
    if (attested)
        recipient_trail_member(w, call);
    json_obj_end(w);
    return true;
}
