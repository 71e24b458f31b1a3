// Hexadecimal, base64, percent-encoding and CRC-32: text forms of bytes for keys, bodies and signatures. The readers
// are strict (one text per value), since signatures and ids are compared as text.
#include "common/base/encode.h"

#include <libdeflate.h>

void hex_encode(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(struct span text, void *out, size_t n)
{
    unsigned char *to = out;
    if (text.n / 2 != n || text.n % 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static const char alphabet_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool encode64(struct buf *b, const void *bytes, size_t n, const char *alphabet, bool pad)
{
    const unsigned char *p = bytes;
    size_t tail = n % 3, whole = n / 3, room = b->max - b->len;
    size_t tail_chars = !tail ? 0 : pad ? 4 : tail + 1;
    if (whole > room / 4 || tail_chars > room - whole * 4) {
        b->failed = true;
        return false;
    }
    if (n == 0)
        return buf_ok(b);
    char *to = buf_reserve(b, whole * 4 + tail_chars);
    if (!to)
        return false;
    buf_commit(b, whole * 4 + tail_chars);
    for (; whole; whole--, p += 3) {
        *to++ = alphabet[p[0] >> 2];
        *to++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
        *to++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
        *to++ = alphabet[p[2] & 63];
    }
    if (tail) {
        unsigned second = tail == 2 ? p[1] : 0;
        *to++ = alphabet[p[0] >> 2];
        *to++ = alphabet[(p[0] & 3u) << 4 | second >> 4];
        if (tail == 2)
            *to++ = alphabet[(second & 15) << 2];
        else if (pad)
            *to++ = '=';
        if (pad)
            *to++ = '=';
    }
    return true;
}

bool base64_encode(struct buf *b, const void *bytes, size_t n)
{
    return encode64(b, bytes, n, alphabet_standard, true);
}

bool base64url_encode(struct buf *b, const void *bytes, size_t n)
{
    return encode64(b, bytes, n, alphabet_url, false);
}

#define ONLY_STANDARD 0x40
#define ONLY_URL 0x80
#define NO_DIGIT 0xff // forbidden in both

// Six-bit values of the characters 0x20 to 0x7f; bits 6 and 7 mark what one alphabet has and the other has not.
static const unsigned char values64[96] = {
    // clang-format off
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7e, 0xff, 0xbe, 0xff, 0x7f,
    0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e,
    0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0xff, 0xff, 0xff, 0xff, 0xbf,
    0xff, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0xff, 0xff, 0xff, 0xff, 0xff,
    // clang-format on
};

static unsigned value64(char c)
{
    unsigned at = (unsigned char)c - 0x20u;
    return at < sizeof values64 ? values64[at] : NO_DIGIT;
}

// Characters without padding. Bits that belong to no byte must be zero: another text would mean the same bytes.
static bool decode64(const char *p, size_t n, unsigned forbidden, unsigned char *out, size_t *out_n)
{
    unsigned seen = 0;
    unsigned char *to = out;
    for (; n >= 4; n -= 4, p += 4) {
        unsigned a = value64(p[0]), b = value64(p[1]), c = value64(p[2]), d = value64(p[3]);
        seen |= a | b | c | d;
        *to++ = (unsigned char)(a << 2 | (b & 63) >> 4);
        *to++ = (unsigned char)(b << 4 | (c & 63) >> 2);
        *to++ = (unsigned char)(c << 6 | (d & 63));
    }
    if (n == 1)
        return false;
    if (n) {
        unsigned a = value64(p[0]), b = value64(p[1]), c = n == 3 ? value64(p[2]) : 0;
        seen |= a | b | c;
        *to++ = (unsigned char)(a << 2 | (b & 63) >> 4);
        if (n == 3)
            *to++ = (unsigned char)(b << 4 | (c & 63) >> 2);
        if (n == 3 ? c & 3 : b & 15)
            return false;
    }
    *out_n = (size_t)(to - out);
    return !(seen & forbidden);
}

bool base64_decode(struct span text, unsigned char *out, size_t *n)
{
    size_t digits = text.n;
    if (digits % 4)
        return false;
    for (int pads = 0; pads < 2 && digits && text.p[digits - 1] == '='; pads++)
        digits--;
    return decode64(text.p, digits, ONLY_URL, out, n);
}

bool base64url_decode(struct span text, unsigned char *out, size_t *n)
{
    return decode64(text.p, text.n, ONLY_STANDARD, out, n);
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

bool uri_encode(struct buf *b, struct span text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF"; // RFC 3986 section 2.1: upper case
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (unreserved(text.p[i]) || (keep_slash && c == '/'))
            buf_append_char(b, text.p[i]);
        else
            buf_append(b, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
    return buf_ok(b);
}

bool uri_decode(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '%') {
            if (text.n - i < 3 || !hex_decode((struct span){text.p + i + 1, 2}, &c, 1))
                return false;
            i += 2;
        }
        buf_append(b, &c, 1);
    }
    return buf_ok(b);
}

uint32_t crc32_of(struct span bytes)
{
    return libdeflate_crc32(0, bytes.p, bytes.n);
}
