// The parameter Recipient, and what it makes of an answer and of a trail record. The document is read and verified by
// attestation.c, the answer wrapped by cms_enveloped_data.c.
#include "kmsd/recipient.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "kmsd/attestation.h"
#include "kmsd/cms_enveloped_data.h"
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

static const char *const key_encryption_algorithms[] = {"RSAES_OAEP_SHA_256", NULL};

const struct param recipient_rows[] = {
    {.name = "KeyEncryptionAlgorithm",
     .type = PARAM_STRING,
     .offset = PARAM_AT(recipient, algorithm),
     .choices = key_encryption_algorithms},
    {.name = "AttestationDocument",
     .type = PARAM_BLOB,
     .offset = PARAM_AT(recipient, document),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_ATTESTATION_MAX},
    {NULL},
};

// ---- the document ----

// The document's public key; NULL: none to which anything can be encrypted here.
static EVP_PKEY *load_public_key(const struct attestation *a)
{
    const unsigned char *at = (const unsigned char *)a->public_key.p;
    EVP_PKEY *pkey = at ? d2i_PUBKEY(NULL, &at, (long)a->public_key.n) : NULL;
    ERR_clear_error();
    if (pkey && at == (const unsigned char *)a->public_key.p + a->public_key.n && EVP_PKEY_is_a(pkey, "RSA") &&
        EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN && EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

static const struct fault *read_document(struct call *call, struct span document, struct attestation *a)
{
    char why[256];
    struct attestation_root *root = kmsd_of(call)->roots;
    if (!root)
        return call_fault(call, &fault_unsupported,
                          "Recipient is not supported: kmsd was started without --attestation-root.");
    if (!attestation_parse(document, a, why, sizeof why))
        return call_fault(call, &fault_validation, "AWS KMS cannot parse the attestation document: %s.", why);
    if (!attestation_verify(a, root, call->time_ns, why, sizeof why))
        return call_fault(call, &fault_validation, "%s", why);
    EVP_PKEY *pkey = load_public_key(a);
    EVP_PKEY_free(pkey);
    return pkey ? NULL
                : call_fault(call, &fault_validation,
                             "The attestation document must have a public key, of RSA with %d to %d bits.",
                             RSA_BITS_MIN, RSA_BITS_MAX);
}

const struct fault *recipient_resolve(struct call *call)
{
    struct recipient *r = &((struct kms_params *)call->params)->recipient;
    // A call that had to wait comes here again.
    if (!r->set || r->attestation)
        return NULL;
    if (!r->algorithm.p || !r->document.p)
        return call_fault(call, &fault_validation,
                          "Recipient must have both KeyEncryptionAlgorithm and AttestationDocument.");
    struct attestation *a = arena_alloc(&call->arena, sizeof *a);
    const struct fault *fault = read_document(call, r->document, a);
    if (!fault)
        r->attestation = a;
    return fault;
}

// ---- the answer ----

const struct fault *recipient_write(struct call *call, const char *member, struct span plaintext)
{
    const struct attestation *a = ((const struct kms_params *)call->params)->recipient.attestation;
    if (!a) {
        json_key(&call->out, member);
        json_base64(&call->out, plaintext);
        return NULL;
    }
    struct buf sealed;
    EVP_PKEY *pkey = load_public_key(a);
    buf_init(&sealed, KMS_CIPHERTEXT_MAX);
    bool ok = pkey && cms_enveloped_data(a->public_key, pkey, plaintext, &sealed);
    EVP_PKEY_free(pkey);
    json_key(&call->out, "CiphertextForRecipient");
    json_base64(&call->out, buf_span(&sealed));
    buf_done(&sealed);
    return ok ? NULL : &fault_internal;
}

// ---- the trail ----

static const struct {
    enum attestation_platform platform;
    size_t pcr;
    const char *name;
} trail_members[] = {
    {ATTESTATION_ENCLAVE, 0, "attestationDocumentEnclaveImageDigest"},
    {ATTESTATION_ENCLAVE, 1, "attestationDocumentEnclavePCR1"},
    {ATTESTATION_ENCLAVE, 2, "attestationDocumentEnclavePCR2"},
    {ATTESTATION_ENCLAVE, 3, "attestationDocumentEnclavePCR3"},
    {ATTESTATION_ENCLAVE, 4, "attestationDocumentEnclavePCR4"},
    {ATTESTATION_ENCLAVE, 8, "attestationDocumentEnclavePCR8"},
    {ATTESTATION_NITRO_TPM, 4, "attestationDocumentNitroTPMPCR4"},
    {ATTESTATION_NITRO_TPM, 7, "attestationDocumentNitroTPMPCR7"},
    {ATTESTATION_NITRO_TPM, 8, "attestationDocumentNitroTPMPCR8"},
    {ATTESTATION_NITRO_TPM, 9, "attestationDocumentNitroTPMPCR9"},
    {ATTESTATION_NITRO_TPM, 16, "attestationDocumentNitroTPMPCR16"},
    {ATTESTATION_NITRO_TPM, 23, "attestationDocumentNitroTPMPCR23"},
};

void recipient_trail_member(struct json_write *w, struct call *call)
{
    const struct attestation *a = ((const struct kms_params *)call->params)->recipient.attestation;
    json_key(w, "recipient");
    json_obj_begin(w);
    json_kstr(w, "attestationDocumentModuleId", a->module_id);
    for (size_t i = 0; i < sizeof trail_members / sizeof *trail_members; i++)
        if (trail_members[i].platform == a->platform && a->pcrs[trail_members[i].pcr][0])
            json_kcstr(w, trail_members[i].name, a->pcrs[trail_members[i].pcr]);
    json_obj_end(w);
}

bool recipient_trail(struct json_write *w, struct call *call)
{
    const struct kms_params *p = call->params;
    bool attested = p && p->recipient.attestation;
    if (!attested || !w)
        return attested;
    json_obj_begin(w);
    recipient_trail_member(w, call);
    json_obj_end(w);
    return true;
}
