// Key material as people write it down: PEM, hexadecimal or base64.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/base/encode.h"
#include "kmsd/import_material.h"
#include "kmsd/key_type.h"
#include "kmsd/seed_internal.h"

// There is nobody to ask.
static int no_password(char *to, int size, int writing, void *arg)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool from_pem(struct span text, struct secret *material)
{
    BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
    EVP_PKEY *pkey = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
    bool ok = pkey && key_type_store(pkey, material);
    EVP_PKEY_free(pkey);
    BIO_free(in);
    return ok;
}

static const struct key_spec *spec_of(struct span material)
{
    for (const struct key_spec *s = key_specs; s->name; s++)
        if (s->type->asymmetric && (!s->type->available || s->type->available(s)) && s->type->fits(s, material))
            return s;
    return NULL;
}

// Of a secret the length tells which of the two it is.
static bool from_text(const struct key_spec *spec, struct span text, struct secret *material)
{
    size_t n = (size_t)spec->bits / 8;
    if (!spec->type->asymmetric && text.n == 2 * n)
        return secret_init(material, n) && hex_decode(text, material->p, n);
    struct secret decoded = {0};
    bool ok = secret_init(&decoded, base64_decoded_max(text.n)) && base64_decode(text, decoded.p, &n) &&
              secret_copy(material, decoded.p, n);
    secret_done(&decoded);
    return ok;
}

static struct span trimmed(struct span text)
{
    while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
        text.n--;
    return text;
}

static const char *wrong_text(const struct key_spec *spec)
{
    return spec->type->asymmetric ? "is no private key of this KeySpec in PEM, or in PKCS#8 and base64"
                                  : "is not as many bytes as the KeySpec wants, in hexadecimal or base64";
}

// As ImportKeyMaterial would take it: a whole pair, in one way of writing it.
static const char *take(const struct key_spec **spec, struct span text, bool pem, struct secret *raw,
                        struct secret *material)
{
    if (pem && !from_pem(text, raw))
        return "is no private key in PEM without a password";
    if (!pem && !from_text(*spec, trimmed(text), raw))
        return wrong_text(*spec);
    if (!*spec)
        *spec = spec_of(secret_span(raw));
    if (!*spec)
        return "is a private key of a kind that KMS does not have";
    if (import_material_take(*spec, secret_span(raw), material))
        return NULL;
    return pem ? "is not a key of this KeySpec" : wrong_text(*spec);
}

const char *seed_material(const struct key_spec **spec, struct span text, struct secret *material)
{
    struct secret raw = {0};
    bool pem = memmem(text.p, text.n, "-----BEGIN", 10) != NULL;
    if (pem && *spec && !(*spec)->type->asymmetric)
        return "is a private key, where a secret belongs";
    if (!pem && !*spec)
        return "KeySpec says what this is";
    const char *wrong = take(spec, text, pem, &raw, material);
    secret_done(&raw);
    ERR_clear_error();
    return wrong;
}
