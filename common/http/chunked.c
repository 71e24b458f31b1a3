// The chunked transfer coding, read byte by byte outside of the content. Used by server (request bodies) and client
// (replies); owns no memory.
#include "common/http/chunked.h"

#include <string.h>

enum {
    SIZE_FIRST, // first digit
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST, // first byte of a line behind the last chunk
    TRAILER,
    TRAILER_LF,
    END_LF,
    DONE,
    BROKEN,
};

#define LINE_MAX_BYTES 1024
#define TRAILERS_MAX_BYTES 8192

void http_chunked_init(struct http_chunked *d, uint64_t max)
{
    *d = (struct http_chunked){.max = max};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_text(char c)
{
    return (uint8_t)c >= 0x20 ? c != 0x7f : c == '\t';
}

static int step_size(struct http_chunked *d, char c)
{
    int digit = hex(c);
    if (digit >= 0) {
        // Leading zeros do no harm but are bounded with the line; the value is bounded before it can overflow.
        d->left = d->left * 16 + (unsigned)digit;
        d->too_large = d->left > d->max - d->total;
        return d->too_large || ++d->line > 64 ? BROKEN : SIZE;
    }
    if (d->state == SIZE_FIRST)
        return BROKEN;
    return c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : BROKEN;
}

static int step_line(struct http_chunked *d, char c, int here, int at_cr, size_t max)
{
    if (c == '\r')
        return at_cr;
    return is_text(c) && ++d->line <= max ? here : BROKEN;
}

// One byte outside of the content: the next state.
static int step(struct http_chunked *d, char c)
{
    switch (d->state) {
    case SIZE_FIRST:
    case SIZE:
        return step_size(d, c);
    case EXTENSION:
        return step_line(d, c, EXTENSION, SIZE_LF, LINE_MAX_BYTES);
    case SIZE_LF:
        d->line = 0;
        return c != '\n' ? BROKEN : d->left ? DATA : TRAILER_FIRST;
    case DATA_CR:
        return c == '\r' ? DATA_LF : BROKEN;
    case DATA_LF:
        return c == '\n' ? SIZE_FIRST : BROKEN;
    case TRAILER_FIRST:
        // A folded or nameless line is not a trailer.
        if (c == ' ' || c == '\t' || c == ':')
            return BROKEN;
        return step_line(d, c, TRAILER, END_LF, TRAILERS_MAX_BYTES);
    case TRAILER:
        return step_line(d, c, TRAILER, TRAILER_LF, TRAILERS_MAX_BYTES);
    case TRAILER_LF:
        return c == '\n' ? TRAILER_FIRST : BROKEN;
    case END_LF:
        return c == '\n' ? DONE : BROKEN;
    default:
        return BROKEN;
    }
}

enum http_parse http_chunked_decode(struct http_chunked *d, char *bytes, size_t n, size_t *consumed, size_t *produced)
{
    size_t in = 0, out = 0;
    while (in < n && d->state != DONE && d->state != BROKEN) {
        if (d->state != DATA) {
            d->state = step(d, bytes[in++]);
            continue;
        }
        size_t take = n - in < d->left ? n - in : (size_t)d->left;
        memmove(bytes + out, bytes + in, take);
        in += take;
        out += take;
        d->total += take;
        d->left -= take;
        if (d->left == 0)
            d->state = DATA_CR;
    }
    *consumed = in;
    *produced = out;
    return d->state == DONE ? HTTP_PARSE_OK : d->state == BROKEN ? HTTP_PARSE_BAD : HTTP_PARSE_MORE;
}
