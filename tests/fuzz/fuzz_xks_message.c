// What comes from outside about external key stores: replies of their proxies, and ciphertext blobs of their keys. The
// first byte picks the reader.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "kmsd/xks_message.h"

static void read_blob(struct span bytes)
{
    struct xks_blob blob;
    struct buf again;
    if (!xks_blob_parse(bytes, &blob))
        return;
    buf_init(&again, KMS_CIPHERTEXT_MAX);
    xks_blob_write(blob.backing_id, &blob.sealed, &again);
    if (!span_eq(buf_span(&again), bytes))
        abort();
    buf_done(&again);
}

static void read_reply(const struct xks_request *q, int status, struct span body)
{
    struct xks_reply r;
    xks_reply_read(q, status, body, &r);
    if (r.failure == XKS_OK && q->api == XKS_ENCRYPT && (r.sealed.iv_n < 12 || r.bytes.n != q->plaintext.n))
        abort();
    if (strlen(r.message) >= sizeof r.message || strlen(r.key_usage) >= sizeof r.key_usage)
        abort();
    xks_reply_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready)
        json_read_setup();
    ready = true;
    if (!size)
        return 0;
    struct span rest = {(const char *)data + 1, size - 1};
    struct xks_request q = {.api = data[0] % 4,
                            .integrity = data[0] & 8,
                            .context = SPAN("context"),
                            .plaintext = SPAN("0123456789ab"),
                            .sealed.bytes = SPAN("0123456789ab")};
    if (data[0] & 16)
        read_blob(rest);
    else
        read_reply(&q, data[0] & 32 ? 400 : 200, rest);
    return 0;
}
