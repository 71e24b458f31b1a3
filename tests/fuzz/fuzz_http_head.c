// Request heads: whatever the parser accepts lies inside the bytes, holds no line break, and is the same when the end
// of the head is looked for first, piece by piece, as the server does.
#include <stdlib.h>
#include <string.h>

#include "common/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span s, struct span all)
{
    if (s.n && (s.p < all.p || s.p + s.n > all.p + all.n || memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n) ||
                memchr(s.p, '\0', s.n)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request r, again;
    struct span all = {(const char *)data, size};
    size_t consumed = 0, seen = 0;
    int status;
    enum http_parse p = http_parse_head(all, &r, &consumed, &status);
    if (p == HTTP_PARSE_BAD && status < 400)
        abort();
    if (p != HTTP_PARSE_OK)
        return 0;
    if (consumed > size || (r.framing.chunked && r.framing.content_length >= 0))
        abort();
    check_inside(r.method, all);
    check_inside(r.target, all);
    check_inside(r.version, all);
    for (size_t i = 0; i < r.headers.n; i++) {
        check_inside(r.headers.at[i].name, all);
        check_inside(r.headers.at[i].value, all);
    }
    // The head alone says the same; no shorter piece of it is complete.
    size_t consumed_again = 0;
    if (http_parse_head((struct span){all.p, consumed}, &again, &consumed_again, &status) != HTTP_PARSE_OK ||
        consumed_again != consumed || again.headers.n != r.headers.n)
        abort();
    if (http_parse_head((struct span){all.p, consumed - 1}, &again, &consumed_again, &status) != HTTP_PARSE_MORE)
        abort();
    for (size_t n = 1; n <= consumed && consumed <= HTTP_HEAD_MAX; n += 1 + n / 7) {
        if (http_head_complete((struct span){all.p, n}, &seen) != (n == consumed ? HTTP_PARSE_OK : HTTP_PARSE_MORE))
            abort();
    }
    return 0;
}
