// Replies of a peer, head and body, as the client reads them: first byte of the input = size of the pieces (0: at once)
// and, by its lowest bit, whether the request was a HEAD.
#include <stdlib.h>
#include <string.h>

#include "common/http/reply_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply_reader r;
    enum http_client_failure failure = HTTP_CLIENT_OK;
    enum http_parse p = HTTP_PARSE_MORE;
    if (size < 1)
        return 0;
    size_t piece = data[0] / 2 ? data[0] / 2 : size, at = 1;
    reply_reader_init(&r, 3000, data[0] & 1);
    while (at < size && p == HTTP_PARSE_MORE) {
        size_t room, n = size - at < piece ? size - at : piece;
        char *to = reply_reader_room(&r, &room);
        if (!to || room == 0)
            abort();
        n = n < room ? n : room;
        memcpy(to, data + at, n);
        at += n;
        p = reply_reader_got(&r, n, &failure);
    }
    if (p == HTTP_PARSE_BAD && failure == HTTP_CLIENT_OK)
        abort();
    if (p == HTTP_PARSE_OK || (p == HTTP_PARSE_MORE && reply_reader_closed(&r))) {
        struct span body = reply_reader_body(&r);
        if (body.p + body.n > r.in + r.len || r.head_len + body.n > 3000 || r.response.status < 200)
            abort();
        for (size_t i = 0; i < r.response.headers.n; i++) {
            struct span value = r.response.headers.at[i].value;
            if (value.n && (value.p < r.in || value.p + value.n > r.in + r.head_len))
                abort();
        }
        reply_reader_reusable(&r);
    }
    reply_reader_done(&r);
    return 0;
}
