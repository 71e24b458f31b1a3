// Identifiers in AWS's forms, out of an rng (see there for reproducible ids). What an id names is the caller's.
#include "common/base/ids.h"

#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "common/base/digest.h"
#include "common/base/encode.h"

void id_uuid(struct rng *r, char out[UUID_TEXT_SIZE])
{
    uuid_t u;
    rng_id(r, u, sizeof u);
    u[6] = (unsigned char)((u[6] & 0x0f) | 0x40); // version 4, variant 1: RFC 9562 section 5.4
    u[8] = (unsigned char)((u[8] & 0x3f) | 0x80);
    uuid_unparse_lower(u, out);
}

bool id_is_uuid(struct span text)
{
    if (text.n != UUID_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return true;
}

bool id_is_account(struct span text)
{
    if (text.n != 12)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return true;
}

// DynamoDB's ids use RFC 4648's base32hex alphabet; the tail is the same in all that have been seen.
void id_dynamodb_request(struct rng *r, char out[DDB_REQUEST_ID_SIZE])
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
    static const char tail[] = "VV4KQNSO5AEMVJF66Q9ASUAAJG";
    enum { HEAD = DDB_REQUEST_ID_SIZE - sizeof tail };
    unsigned char random[HEAD];
    rng_id(r, random, sizeof random);
    for (size_t i = 0; i < HEAD; i++)
        out[i] = alphabet[random[i] % 32];
    memcpy(out + HEAD, tail, sizeof tail);
}

void id_hex(struct rng *r, size_t n_bytes, char *out)
{
    unsigned char random[64];
    for (size_t part; n_bytes; n_bytes -= part, out += 2 * part) {
        part = n_bytes < sizeof random ? n_bytes : sizeof random;
        rng_id(r, random, part);
        hex_encode(random, part, out);
    }
    *out = '\0';
}

void id_alnum(struct rng *r, size_t n, char *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum { LETTERS = sizeof alphabet - 1, FAIR = 256 / LETTERS * LETTERS };
    unsigned char random[32];
    for (size_t at = sizeof random; n; at++) {
        if (at == sizeof random) {
            rng_id(r, random, sizeof random);
            at = 0;
        }
        if (random[at] < FAIR) { // the bytes above would favour the first letters
            *out++ = alphabet[random[at] % LETTERS];
            n--;
        }
    }
    *out = '\0';
}

void id_principal(const char *prefix, const char *arn, char out[22])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned char digest[SHA256_SIZE];
    if (strlen(prefix) != 4)
        abort();
    sha256(span_of(arn), digest);
    memcpy(out, prefix, 4);
    for (int i = 0; i < 17; i++)
        out[4 + i] = alphabet[digest[i] % 32];
    out[21] = '\0';
}
