// Codec of grant tokens: op_grant.c writes them, authz.c and op_grant.c read them. Whether the grant still lives is not
// asked here.
#include "kmsd/grant_token.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/rng.h"
#include "kmsd/cms_envelope.h"
#include "kmsd/crypto_sym.h"

#define KEY_ID_AT 3
#define BLOB_AT 70
#define BLOB_SIZE 264
#define CMS_AT (BLOB_AT + 37)
#define GRANT_ID_AT 336
#define TOKEN_SIZE 368
#define PLAIN_SIZE 128
#define CONTENT_SIZE (11 + PLAIN_SIZE + SYM_TAG_SIZE)
#define TEXT_SIZE 491

// Everything that is the same in every token of this root key.
static void write_frame(const struct root_key *k, unsigned char token[TOKEN_SIZE])
{
    static const unsigned char id_field[] = {0x01, 0x0a, 0x40};
    static const unsigned char blob_field[] = {0x22, 0x88, 0x02, 0x01, 0x01, 0x02, 0x00, 0x78};
    static const unsigned char grant_field[] = {0x2a, 0x20};
    char hex[65];
    memset(token, 0, TOKEN_SIZE);
    memcpy(token, id_field, sizeof id_field);
    hex_encode(k->token_id, sizeof k->token_id, hex);
    memcpy(token + KEY_ID_AT, hex, 64);
    memcpy(token + BLOB_AT - 3, blob_field, sizeof blob_field);
    memcpy(token + BLOB_AT + 5, k->token_id, sizeof k->token_id);
    cms_write(CONTENT_SIZE, token + CMS_AT);
    memcpy(token + GRANT_ID_AT - 2, grant_field, sizeof grant_field);
}

static void token_key(const struct root_key *k, const unsigned char *grant_id, unsigned char out[SYM_KEY_SIZE])
{
    sym_derive(k->token, "kmsd grant token", (struct span){(const char *)grant_id, GRANT_ID_SIZE}, out);
}

bool grant_token_write(const struct root_key *k, const unsigned char grant_id[GRANT_ID_SIZE], struct buf *text)
{
    unsigned char token[TOKEN_SIZE], key[SYM_KEY_SIZE], plain[11 + PLAIN_SIZE];
    write_frame(k, token);
    struct cms_envelope e = cms_layout(CONTENT_SIZE);
    unsigned char *iv = token + CMS_AT + e.iv_at, *content = token + CMS_AT + e.content_at;
    rng_secret(iv, SYM_IV_SIZE);
    memcpy(token + GRANT_ID_AT, grant_id, GRANT_ID_SIZE);
    // What is sealed is of no use to anybody; only that it was sealed here matters.
    rng_secret(plain, sizeof plain);
    token_key(k, grant_id, key);
    struct span aad[2] = {{(char *)token, (size_t)(content - token)}, {(const char *)grant_id, GRANT_ID_SIZE}};
    sym_seal(key, iv, aad, (struct span){NULL, 0}, (struct span){(char *)plain, sizeof plain}, content);
    OPENSSL_cleanse(key, sizeof key);
    return base64url_encode(text, token, sizeof token);
}

bool grant_token_read(const struct root_key *k, struct span text, unsigned char grant_id[GRANT_ID_SIZE])
{
    unsigned char token[TOKEN_SIZE + 4], frame[TOKEN_SIZE], key[SYM_KEY_SIZE], plain[11 + PLAIN_SIZE];
    size_t n = sizeof token;
    if (text.n != TEXT_SIZE || !base64url_decode(text, token, &n) || n != TOKEN_SIZE)
        return false;
    struct cms_envelope e = cms_layout(CONTENT_SIZE);
    unsigned char *iv = token + CMS_AT + e.iv_at, *content = token + CMS_AT + e.content_at;
    write_frame(k, frame);
    memcpy(frame + CMS_AT + e.iv_at, iv, SYM_IV_SIZE);
    memcpy(frame + CMS_AT + e.content_at, content, CONTENT_SIZE);
    memcpy(frame + GRANT_ID_AT, token + GRANT_ID_AT, GRANT_ID_SIZE);
    if (memcmp(frame, token, TOKEN_SIZE) != 0)
        return false;
    token_key(k, token + GRANT_ID_AT, key);
    struct span aad[2] = {{(char *)token, (size_t)(content - token)}, {(char *)token + GRANT_ID_AT, GRANT_ID_SIZE}};
    bool ok = sym_open(key, iv, aad, (struct span){(char *)content, CONTENT_SIZE}, plain);
    OPENSSL_cleanse(key, sizeof key);
    if (ok)
        memcpy(grant_id, token + GRANT_ID_AT, GRANT_ID_SIZE);
    return ok;
}
