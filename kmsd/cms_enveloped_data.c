// Writes EnvelopedData, for recipient.c. By hand, as the library writes definite lengths only where it knows them.
#include "kmsd/cms_enveloped_data.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/base/digest.h"
#include "common/base/rng.h"
#include "kmsd/crypto_pke.h"

#define AES_KEY_SIZE 32
#define AES_BLOCK 16

enum { OCTET_STRING = 0x04, SEQUENCE = 0x30, SET = 0x31, IMPLICIT_0 = 0x80 };

// SEQ ∞{pkcs7-envelopedData, [0] ∞{SEQ ∞{2, …
static const unsigned char start[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                      0x01, 0x07, 0x03, 0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x02};
static const unsigned char version_2[] = {0x02, 0x01, 0x02};
// SEQ{rsaes-oaep, SEQ{[0]{SEQ{sha256, NULL}}, [1]{SEQ{mgf1, SEQ{sha256, NULL}}}}}
static const unsigned char oaep_sha256[] = {
    0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, 0x30, 0x2f, 0xa0,
    0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30,
    0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00};
// SEQ ∞{pkcs7-data, SEQ{aes256-CBC, OCTET STRING of 16 …
static const unsigned char content_info[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                             0x01, 0x07, 0x01, 0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48,
                                             0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04, 0x10};
static const unsigned char content[] = {0xa0, 0x80}; // … }, [0] ∞{ the content, in octet strings …
static const unsigned char ends[5][2];               // … }}}}}

// At most 65535 bytes of content.
static size_t head_size(size_t n)
{
    return n < 0x80 ? 2 : n < 0x100 ? 3 : 4;
}

static void put_head(struct buf *out, int tag, size_t n)
{
    buf_append_char(out, (char)tag);
    if (n >= 0x100) {
        buf_append_char(out, (char)0x82);
        buf_append_char(out, (char)(n >> 8));
    } else if (n >= 0x80) {
        buf_append_char(out, (char)0x81);
    }
    buf_append_char(out, (char)n);
}

static void put_string(struct buf *out, int tag, const void *bytes, size_t n)
{
    put_head(out, tag, n);
    buf_append(out, bytes, n);
}

// SET{SEQ{2, [0] subjectKeyIdentifier, the algorithm, the encrypted key}}
static bool put_recipient(struct span spki, EVP_PKEY *pkey, const unsigned char key[AES_KEY_SIZE], struct buf *out)
{
    unsigned char id[SHA256_SIZE], encrypted[PKE_CIPHERTEXT_MAX];
    size_t n;
    if (!pke_encrypt(pke_algorithm_find("RSAES_OAEP_SHA_256"), pkey, (struct span){(const char *)key, AES_KEY_SIZE},
                     encrypted, &n))
        return false;
    sha256(spki, id);
    size_t info = sizeof version_2 + head_size(sizeof id) + sizeof id + sizeof oaep_sha256 + head_size(n) + n;
    put_head(out, SET, head_size(info) + info);
    put_head(out, SEQUENCE, info);
    buf_append(out, version_2, sizeof version_2);
    put_string(out, IMPLICIT_0, id, sizeof id);
    buf_append(out, oaep_sha256, sizeof oaep_sha256);
    put_string(out, OCTET_STRING, encrypted, n);
    return true;
}

static bool put_content(struct span plaintext, const unsigned char key[AES_KEY_SIZE], const unsigned char iv[AES_BLOCK],
                        struct buf *out)
{
    size_t n = (plaintext.n / AES_BLOCK + 1) * AES_BLOCK;
    int first = 0, last = 0;
    put_head(out, OCTET_STRING, n);
    unsigned char *to = (unsigned char *)buf_reserve(out, n);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = to && c && EVP_EncryptInit_ex(c, EVP_aes_256_cbc(), NULL, key, iv) == 1 &&
              EVP_EncryptUpdate(c, to, &first, (const unsigned char *)plaintext.p, (int)plaintext.n) == 1 &&
              EVP_EncryptFinal_ex(c, to + first, &last) == 1;
    EVP_CIPHER_CTX_free(c);
    if (ok)
        buf_commit(out, n);
    return ok;
}

bool cms_enveloped_data(struct span spki, EVP_PKEY *pkey, struct span plaintext, struct buf *out)
{
    unsigned char key[AES_KEY_SIZE], iv[AES_BLOCK];
    rng_secret(key, sizeof key);
    rng_secret(iv, sizeof iv);
    buf_append(out, start, sizeof start);
    bool ok = put_recipient(spki, pkey, key, out);
    buf_append(out, content_info, sizeof content_info);
    buf_append(out, iv, sizeof iv);
    buf_append(out, content, sizeof content);
    ok = ok && put_content(plaintext, key, iv, out);
    buf_append(out, ends, sizeof ends);
    OPENSSL_cleanse(key, sizeof key);
    return ok && buf_ok(out);
}
