// Codec of ciphertext blobs, for encryption.c and source.c. Which key a backing key id belongs to is the keyring's
// business.
#include "kmsd/ciphertext.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/base/rng.h"
#include "kmsd/cms_envelope.h"
#include "kmsd/crypto_sym.h"
#include "kmsd/limits.h"

#define HEADER_MARK_AT 37
#define NONCE_AT 38
#define NONCE_SIZE 16
#define LENGTH_AT 54
#define INNER_SIZE 11
#define OVERHEAD (INNER_SIZE + SYM_TAG_SIZE)
#define MESSAGE_LABEL "kmsd message"

// The third byte varies from key to key on AWS (1, 2, 3); here it follows from the backing key id.
static unsigned char key_byte(const unsigned char *backing_id)
{
    return (unsigned char)(1 + backing_id[0] % 3);
}

static void put_be32(unsigned char *at, size_t v)
{
    at[0] = (unsigned char)(v >> 24);
    at[1] = (unsigned char)(v >> 16);
    at[2] = (unsigned char)(v >> 8);
    at[3] = (unsigned char)v;
}

static size_t get_be32(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static void start_of(const unsigned char *backing_id, unsigned char out[HEADER_MARK_AT])
{
    unsigned char start[5] = {1, 2, key_byte(backing_id), 0, 0x78};
    memcpy(out, start, sizeof start);
    memcpy(out + sizeof start, backing_id, BACKING_ID_SIZE);
}

void ciphertext_write_start(const unsigned char backing_id[BACKING_ID_SIZE], struct buf *out)
{
    unsigned char start[HEADER_MARK_AT];
    start_of(backing_id, start);
    buf_append(out, start, sizeof start);
}

const unsigned char *ciphertext_start(struct span blob)
{
    const unsigned char *p = (const unsigned char *)blob.p;
    if (blob.n <= HEADER_MARK_AT || p[0] != 1 || p[1] != 2 || p[2] != key_byte(p + 5) || p[3] != 0 || p[4] != 0x78)
        return NULL;
    return p + 5;
}

bool ciphertext_parse(struct span blob, struct ciphertext *out)
{
    const unsigned char *p = (const unsigned char *)blob.p;
    struct cms_envelope e;
    if (blob.n <= CIPHERTEXT_CMS_AT || blob.n > KMS_CIPHERTEXT_MAX)
        return false;
    const unsigned char *id = ciphertext_start(blob);
    if (!id || p[HEADER_MARK_AT] != 1)
        return false;
    struct span cms = {blob.p + CIPHERTEXT_CMS_AT, blob.n - CIPHERTEXT_CMS_AT};
    if (get_be32(p + LENGTH_AT) != cms.n || !cms_parse(cms, &e) || e.size - e.content_at < OVERHEAD)
        return false;
    size_t content_at = CIPHERTEXT_CMS_AT + e.content_at;
    *out = (struct ciphertext){
        .backing_id = id,
        .nonce = p + NONCE_AT,
        .iv = p + CIPHERTEXT_CMS_AT + e.iv_at,
        .clear = {blob.p, content_at},
        .content = {blob.p + content_at, blob.n - content_at},
        .plaintext_n = e.size - e.content_at - OVERHEAD,
    };
    return out->plaintext_n <= KMS_PLAINTEXT_MAX;
}

size_t ciphertext_size(size_t plaintext_n)
{
    return CIPHERTEXT_CMS_AT + cms_layout(plaintext_n + OVERHEAD).size;
}

// Version, two zero bytes, the plaintext's length, four zero bytes.
static void inner_header(unsigned char inner[INNER_SIZE], size_t plaintext_n)
{
    memset(inner, 0, INNER_SIZE);
    inner[0] = 1;
    put_be32(inner + 3, plaintext_n);
}

static void message_key(const unsigned char *key, const unsigned char *nonce, unsigned char out[SYM_KEY_SIZE])
{
    sym_derive(key, MESSAGE_LABEL, (struct span){(const char *)nonce, NONCE_SIZE}, out);
}

void ciphertext_seal(const unsigned char backing_id[BACKING_ID_SIZE], const unsigned char *key, struct span context,
                     struct span plaintext, unsigned char *out)
{
    unsigned char random[NONCE_SIZE + SYM_IV_SIZE], inner[INNER_SIZE], derived[SYM_KEY_SIZE];
    rng_secret(random, sizeof random);
    start_of(backing_id, out);
    out[HEADER_MARK_AT] = 1;
    memcpy(out + NONCE_AT, random, NONCE_SIZE);
    unsigned char *cms = out + CIPHERTEXT_CMS_AT;
    struct cms_envelope e = cms_write(plaintext.n + OVERHEAD, cms);
    put_be32(out + LENGTH_AT, e.size);
    memcpy(cms + e.iv_at, random + NONCE_SIZE, SYM_IV_SIZE);
    inner_header(inner, plaintext.n);
    message_key(key, random, derived);
    struct span aad[2] = {{(char *)out, CIPHERTEXT_CMS_AT + e.content_at}, context};
    sym_seal(derived, cms + e.iv_at, aad, (struct span){(char *)inner, INNER_SIZE}, plaintext, cms + e.content_at);
    OPENSSL_cleanse(derived, sizeof derived);
}

bool ciphertext_open(const struct ciphertext *c, const unsigned char *key, struct span context,
                     unsigned char *plaintext)
{
    unsigned char derived[SYM_KEY_SIZE], inner[INNER_SIZE], opened[KMS_PLAINTEXT_MAX + INNER_SIZE];
    struct span aad[2] = {c->clear, context};
    message_key(key, c->nonce, derived);
    bool ok = sym_open(derived, c->iv, aad, c->content, opened);
    OPENSSL_cleanse(derived, sizeof derived);
    inner_header(inner, c->plaintext_n);
    ok = ok && memcmp(opened, inner, INNER_SIZE) == 0;
    if (ok)
        memcpy(plaintext, opened + INNER_SIZE, c->plaintext_n);
    else
        memset(plaintext, 0, c->plaintext_n);
    OPENSSL_cleanse(opened, INNER_SIZE + c->plaintext_n);
    return ok;
}
