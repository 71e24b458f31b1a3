// Judges attestation documents that attestation.c has read: certificates, signature, age.
#include <cbor.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "kmsd/attestation.h"
#include "kmsd/crypto_digest.h"

struct attestation_root {
    X509_STORE *store;
};

static bool refuse(char *why, size_t why_size, const char *sentence)
{
    snprintf(why, why_size, "%s", sentence);
    return false;
}

// ---- roots ----

static int add_certificates(X509_STORE *store, BIO *in)
{
    int n = 0;
    X509 *x;
    while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        n += X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
    }
    // The end of the file is found by not finding another certificate.
    unsigned long error = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return ended ? n : 0;
}

struct attestation_root *attestation_root_load(const char *path, char *why, size_t why_size)
{
    struct attestation_root *root = calloc(1, sizeof *root);
    if (!root || !(root->store = X509_STORE_new()))
        abort();
    BIO *in = BIO_new_file(path, "r");
    int n = in ? add_certificates(root->store, in) : 0;
    BIO_free(in);
    ERR_clear_error();
    if (n > 0)
        return root;
    snprintf(why, why_size, "%s: %s", path, in ? "not a file of certificates (PEM)" : "cannot be read");
    attestation_root_free(root);
    return NULL;
}

void attestation_root_free(struct attestation_root *root)
{
    if (!root)
        return;
    X509_STORE_free(root->store);
    free(root);
}

// ---- the chain ----

static X509 *load_certificate(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &at, (long)der.n);
    if (x && at == (const unsigned char *)der.p + der.n)
        return x;
    X509_free(x);
    return NULL;
}

static STACK_OF(X509) * load_bundle(const struct attestation *a)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    if (!list)
        abort();
    for (size_t i = 0; i < a->cabundle_n; i++) {
        X509 *x = load_certificate(a->cabundle[i]);
        if (!x) {
            sk_X509_pop_free(list, X509_free);
            return NULL;
        }
        if (!sk_X509_push(list, x))
            abort();
    }
    return list;
}

// AWS demands the usages where RFC 5280 lets a certificate be without them.
static bool has_usage(X509 *x, uint32_t usage)
{
    return X509_get_extension_flags(x) & EXFLAG_KUSAGE && X509_get_key_usage(x) & usage;
}

static bool usages_fit(X509_STORE_CTX *c, X509 *leaf)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(c);
    if (!has_usage(leaf, KU_DIGITAL_SIGNATURE) || X509_get_extension_flags(leaf) & EXFLAG_CA)
        return false;
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (!has_usage(sk_X509_value(chain, i), KU_KEY_CERT_SIGN))
            return false;
    return sk_X509_num(chain) > 1;
}

static bool verify_chain(X509 *leaf, STACK_OF(X509) * bundle, struct attestation_root *root, int64_t now_ns, char *why,
                         size_t why_size)
{
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    if (!c || X509_STORE_CTX_init(c, root->store, leaf, bundle) != 1)
        abort();
    X509_STORE_CTX_set_time(c, 0, (time_t)(now_ns / NS_PER_S));
    bool ok = X509_verify_cert(c) == 1;
    int error = X509_STORE_CTX_get_error(c);
    if (!ok)
        snprintf(why, why_size, "The certificates of the attestation document are not valid: %s.",
                 X509_verify_cert_error_string(error));
    else if (!usages_fit(c, leaf))
        ok = refuse(why, why_size, "The certificates of the attestation document are not valid: key usage.");
    X509_STORE_CTX_free(c);
    return ok;
}

// ---- the signature ----

// r and s, one behind the other -> DER, for the library.
static int signature_der(struct span signature, unsigned char **der)
{
    const unsigned char *bytes = (const unsigned char *)signature.p;
    int half = (int)signature.n / 2;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, half, NULL), *s = BN_bin2bn(bytes + half, half, NULL);
    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1)
        abort();
    int n = i2d_ECDSA_SIG(sig, der);
    ECDSA_SIG_free(sig);
    return n;
}

static bool add_bytes(EVP_MD_CTX *c, struct span bytes)
{
    unsigned char head[9];
    size_t n = cbor_encode_bytestring_start(bytes.n, head, sizeof head);
    return EVP_DigestVerifyUpdate(c, head, n) == 1 && EVP_DigestVerifyUpdate(c, bytes.p, bytes.n) == 1;
}

// What is signed (RFC 9052, 4.4): the list of "Signature1", the protected header, no external data, the payload.
static bool verify_signed(EVP_MD_CTX *c, const struct attestation *a, const unsigned char *der, int n)
{
    static const char start[] = "\x84\x6aSignature1";
    return EVP_DigestVerifyUpdate(c, start, sizeof start - 1) == 1 && add_bytes(c, a->protected) &&
           add_bytes(c, (struct span){"", 0}) && add_bytes(c, a->payload) &&
           EVP_DigestVerifyFinal(c, der, (size_t)n) == 1;
}

static bool verify_signature(const struct attestation *a, X509 *leaf)
{
    char group[32] = "";
    EVP_PKEY *pkey = X509_get0_pubkey(leaf);
    if (!pkey || !EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
        strcmp(group, "secp384r1") != 0)
        return false;
    unsigned char *der = NULL;
    int n = signature_der(a->signature, &der);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = n > 0 && c && EVP_DigestVerifyInit(c, NULL, crypto_digest("SHA384"), NULL, pkey) == 1 &&
              verify_signed(c, a, der, n);
    EVP_MD_CTX_free(c);
    OPENSSL_free(der);
    return ok;
}

// ---- all of it ----

static bool is_fresh(const struct attestation *a, int64_t now_ns, char *why, size_t why_size)
{
    int64_t most = ATTESTATION_AGE_MAX_S * NS_PER_S;
    if (a->timestamp_ns < now_ns - most)
        return refuse(why, why_size, "The attestation document exceeded the five-minute age limit.");
    if (a->timestamp_ns - most > now_ns)
        return refuse(why, why_size, "The timestamp of the attestation document is in the future.");
    return true;
}

bool attestation_verify(const struct attestation *a, struct attestation_root *root, int64_t now_ns, char *why,
                        size_t why_size)
{
    X509 *leaf = load_certificate(a->certificate);
    STACK_OF(X509) *bundle = load_bundle(a);
    bool ok = (leaf && bundle) ||
              refuse(why, why_size, "The certificates of the attestation document are not valid: not a certificate.");
    ok =
        ok && verify_chain(leaf, bundle, root, now_ns, why, why_size) &&
        (verify_signature(a, leaf) || refuse(why, why_size, "The signature of the attestation document is not valid."));
    ok = ok && is_fresh(a, now_ns, why, why_size);
    sk_X509_pop_free(bundle, X509_free);
    X509_free(leaf);
    ERR_clear_error();
    return ok;
}
