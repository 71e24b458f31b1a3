// Codec of import tokens: a version, the IV, the sealed record. Called by op_import.c.
#include "kmsd/import_token.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "kmsd/crypto_sym.h"
#include "kmsd/record.h"

#define VERSION 1
#define HEAD (1 + SYM_IV_SIZE)

static const struct span aad[2] = {SPAN(IMPORT_TOKEN_LABEL), {NULL, 0}};

void import_token_write(const struct root_key *k, const struct import_token *t, struct buf *out)
{
    struct buf plain;
    buf_init(&plain, IMPORT_TOKEN_MAX);
    record_put_text(&plain, t->arn);
    record_put_u8(&plain, (uint8_t)t->wrapping);
    record_put_i64(&plain, t->valid_to_ns);
    record_put_bytes(&plain, secret_span(&t->wrapping_key));
    size_t n = HEAD + plain.len + SYM_TAG_SIZE;
    unsigned char *at = (unsigned char *)buf_reserve(out, n);
    if (!buf_ok(&plain))
        out->failed = true;
    if (at && buf_ok(&plain)) {
        at[0] = VERSION;
        rng_secret(at + 1, SYM_IV_SIZE);
        sym_seal(k->import_token, at + 1, aad, (struct span){NULL, 0}, buf_span(&plain), at + HEAD);
        buf_commit(out, n);
    }
    buf_wipe(&plain);
}

static bool read_record(struct span plain, struct import_token *t)
{
    struct record_reader r = {.rest = plain};
    struct span arn = record_bytes(&r);
    uint8_t wrapping = record_u8(&r);
    t->valid_to_ns = record_i64(&r);
    struct span key = record_bytes(&r);
    if (!record_done(&r) || arn.n >= sizeof t->arn || wrapping >= WRAPPINGS)
        return false;
    memcpy(t->arn, arn.p, arn.n);
    t->wrapping = (enum wrapping)wrapping;
    return secret_copy(&t->wrapping_key, key.p, key.n);
}

bool import_token_read(const struct root_key *k, struct span bytes, struct import_token *t)
{
    struct secret plain;
    *t = (struct import_token){0};
    if (bytes.n <= HEAD + SYM_TAG_SIZE || bytes.n > IMPORT_TOKEN_MAX || bytes.p[0] != VERSION ||
        !secret_init(&plain, bytes.n - HEAD - SYM_TAG_SIZE))
        return false;
    struct span sealed = {bytes.p + HEAD, bytes.n - HEAD};
    bool ok = sym_open(k->import_token, (const unsigned char *)bytes.p + 1, aad, sealed, plain.p) &&
              read_record(secret_span(&plain), t);
    secret_done(&plain);
    if (!ok)
        import_token_done(t);
    return ok;
}

void import_token_done(struct import_token *t)
{
    secret_done(&t->wrapping_key);
    *t = (struct import_token){0};
}
