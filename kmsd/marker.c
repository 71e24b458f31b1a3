// Markers of the List operations (list_page.c): version byte, position, 16 bytes of HMAC-SHA-256, all in base64url.
#include "kmsd/marker.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/encode.h"
#include "kmsd/record.h"

#define VERSION 1
#define TAG_SIZE 16

static bool tag_of(const struct root_key *k, struct span scope, struct span position, unsigned char out[SHA256_SIZE])
{
    struct buf b;
    buf_init(&b, 16 * 1024);
    record_put_bytes(&b, scope);
    record_put_bytes(&b, position);
    bool ok = buf_ok(&b);
    if (ok)
        hmac_sha256((struct span){(const char *)k->marker, sizeof k->marker}, buf_span(&b), out);
    buf_done(&b);
    return ok;
}

// Characters up to U+00FF: in UTF-8, bytes below 0x80 and the leads 0xc2 and 0xc3 with one byte behind.
bool marker_matches(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || (unsigned char)text.p[i] >= 0xc4)
            return false;
    return true;
}

bool marker_write(const struct root_key *k, struct span scope, struct span position, struct buf *text)
{
    unsigned char tag[SHA256_SIZE], bytes[1 + MARKER_POSITION_MAX + TAG_SIZE];
    if (position.n > MARKER_POSITION_MAX || !tag_of(k, scope, position, tag))
        return false;
    bytes[0] = VERSION;
    memcpy(bytes + 1, position.p, position.n);
    memcpy(bytes + 1 + position.n, tag, TAG_SIZE);
    return base64url_encode(text, bytes, 1 + position.n + TAG_SIZE);
}

bool marker_read(const struct root_key *k, struct span scope, struct span text, struct buf *position)
{
    unsigned char tag[SHA256_SIZE], bytes[MARKER_TEXT_MAX];
    size_t n = sizeof bytes;
    if (text.n > MARKER_TEXT_MAX || !base64url_decode(text, bytes, &n) || n < 1 + TAG_SIZE || bytes[0] != VERSION)
        return false;
    struct span at = {(char *)bytes + 1, n - 1 - TAG_SIZE};
    if (at.n > MARKER_POSITION_MAX || !tag_of(k, scope, at, tag) || CRYPTO_memcmp(tag, at.p + at.n, TAG_SIZE) != 0)
        return false;
    return buf_append_span(position, at);
}
