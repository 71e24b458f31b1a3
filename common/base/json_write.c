// Streaming JSON writer: replies, audit records and state files are written by it straight into a buffer, without a
// tree (an audit record must cost well under a microsecond). A buffer that is full fails as buffers do; the caller asks
// buf_ok() once at the end.
#include "common/base/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/encode.h"

void json_write_init(struct json_write *w, struct buf *b)
{
    *w = (struct json_write){.b = b};
}

// Where n bytes go, already counted; NULL when they do not fit. Inline, since everything here is a few bytes.
static inline char *room(struct buf *b, size_t n)
{
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    char *to = n <= b->cap - b->len ? b->data + b->len : buf_reserve(b, n);
    if (to)
        b->len += n;
    return to;
}

static inline void put(struct json_write *w, const char *text, size_t n)
{
    char *to = room(w->b, n);
    if (to)
        memcpy(to, text, n);
}

// A token, behind a comma if one is due.
static inline void put_value(struct json_write *w, const char *text, size_t n, bool comma_after)
{
    bool comma = w->comma;
    char *to = room(w->b, n + comma);
    w->comma = comma_after;
    if (!to)
        return;
    if (comma)
        *to++ = ',';
    if (n)
        memcpy(to, text, n);
}

void json_obj_begin(struct json_write *w)
{
    put_value(w, "{", 1, false);
}

void json_obj_end(struct json_write *w)
{
    put(w, "}", 1);
    w->comma = true;
}

void json_arr_begin(struct json_write *w)
{
    put_value(w, "[", 1, false);
}

void json_arr_end(struct json_write *w)
{
    put(w, "]", 1);
    w->comma = true;
}

#define EVERY_BYTE(c) (0x0101010101010101u * (uint64_t)(c))

// Nonzero when one of eight bytes is below 0x20, above 0x7f, a quote or a backslash. (A borrow can only touch bytes
// above the one that caused it, so the test as a whole is exact.)
static inline uint64_t special8(uint64_t v)
{
    uint64_t quote = v ^ EVERY_BYTE('"'), backslash = v ^ EVERY_BYTE('\\');
    uint64_t hits = v | (v - EVERY_BYTE(0x20)) | (quote - EVERY_BYTE(1)) | (backslash - EVERY_BYTE(1));
    return hits & EVERY_BYTE(0x80);
}

static inline bool special(unsigned char c)
{
    return c < 0x20 || c > 0x7f || c == '"' || c == '\\';
}

static inline uint64_t load8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load4(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

// Whether all bytes stand for themselves in a JSON string. The end is looked at by a last word that overlaps the one
// before, since most texts are short.
static inline bool plain(const char *p, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8)
            if (special8(load8(p + i)))
                return false;
        return !special8(load8(p + (n - 8)));
    }
    if (n >= 4)
        return !special8(load4(p) << 32 | load4(p + (n - 4)));
    for (size_t i = 0; i < n; i++)
        if (special((unsigned char)p[i]))
            return false;
    return true;
}

// How many bytes at the front stand for themselves in a JSON string.
static inline size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    while (n - i >= 8 && !special8(load8(p + i)))
        i += 8;
    while (i < n && !special((unsigned char)p[i]))
        i++;
    return i;
}

// The length of the UTF-8 sequence at the front; negative when it is invalid: then that many bytes are one mistake (as
// much of the front as could have begun a character, Unicode section 3.9, so that U+FFFD stands where others put it).
static int utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    int size = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (p[0] == 0xe0)
        low = 0xa0; // no overlong forms
    else if (p[0] == 0xed)
        high = 0x9f; // no surrogates
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f; // nothing above U+10FFFF
    if (size == 0)
        return -1;
    for (int i = 1; i < size; i++, low = 0x80, high = 0xbf)
        if ((size_t)i >= n || p[i] < low || p[i] > high)
            return -i;
    return size;
}

static void put_escape(struct json_write *w, unsigned char c)
{
    static const char short_form[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char digits[] = "0123456789abcdef";
    if (c == '"' || c == '\\')
        put(w, (char[]){'\\', (char)c}, 2);
    else if (short_form[c])
        put(w, (char[]){'\\', short_form[c]}, 2);
    else
        put(w, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
}

// The inside of a string, from a byte that does not stand for itself.
static void put_special(struct json_write *w, const char *p, size_t n)
{
    while (n && buf_ok(w->b)) {
        const unsigned char *u = (const unsigned char *)p;
        size_t used = 1;
        if (*u >= 0x80) {
            int size = utf8_sequence(u, n);
            used = (size_t)abs(size);
            if (size > 0)
                put(w, p, used);
            else
                put(w, "\xef\xbf\xbd", 3);
        } else if (special(*u)) {
            put_escape(w, *u);
        } else {
            used = plain_run(p, n);
            put(w, p, used);
        }
        p += used;
        n -= used;
    }
}

// A string of plain bytes, quoted, behind a comma if one is due, and before a colon if it is a key.
static inline void put_plain(struct json_write *w, const char *p, size_t n, bool key)
{
    bool comma = w->comma;
    char *to = room(w->b, n + 2 + comma + key);
    w->comma = !key;
    if (!to)
        return;
    if (comma)
        *to++ = ',';
    *to++ = '"';
    if (n)
        memcpy(to, p, n);
    to[n] = '"';
    if (key)
        to[n + 1] = ':';
}

static void put_string(struct json_write *w, struct span text, bool key)
{
    if (plain(text.p, text.n)) {
        put_plain(w, text.p, text.n, key);
        return;
    }
    put_value(w, "\"", 1, !key);
    put_special(w, text.p, text.n);
    put(w, "\":", key ? 2 : 1);
}

void json_key(struct json_write *w, const char *key)
{
    put_plain(w, key, strlen(key), true);
}

void json_key_span(struct json_write *w, struct span key)
{
    put_string(w, key, true);
}

void json_str(struct json_write *w, struct span text)
{
    put_string(w, text, false);
}

void json_cstr(struct json_write *w, const char *text)
{
    json_str(w, span_of(text));
}

// Decimal digits of v, at least min of them, before end. Returns where they start.
static char *digits_before(char *end, uint64_t v, int min)
{
    for (; v || min > 0; v /= 10, min--)
        *--end = (char)('0' + v % 10);
    return end;
}

void json_i64(struct json_write *w, int64_t v)
{
    char text[24], *end = text + sizeof text;
    char *p = digits_before(end, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 1);
    if (v < 0)
        *--p = '-';
    put_value(w, p, (size_t)(end - p), true);
}

void json_bool(struct json_write *w, bool v)
{
    put_value(w, v ? "true" : "false", v ? 4 : 5, true);
}

void json_none(struct json_write *w)
{
    put_value(w, "null", 4, true);
}

void json_raw(struct json_write *w, struct span json)
{
    put_value(w, json.p, json.n, true);
}

void json_base64(struct json_write *w, struct span bytes)
{
    put_value(w, "\"", 1, true);
    base64_encode(w->b, bytes.p, bytes.n);
    put(w, "\"", 1);
}

void json_epoch(struct json_write *w, int64_t ns)
{
    char text[32], *end = text + sizeof text;
    int64_t ms = ns / NS_PER_MS - (ns % NS_PER_MS < 0); // earlier, never later, than the time itself
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    char *p = digits_before(end, size % 1000, 3);
    *--p = '.';
    p = digits_before(p, size / 1000, 1);
    if (ms < 0)
        *--p = '-';
    put_value(w, p, (size_t)(end - p), true);
}

// The shortest text that reads back as the same double, and as a real, not an integer.
static void put_real(struct json_write *w, double v)
{
    char text[40];
    int n = 0;
    for (int precision = 15; precision <= 17; precision++) {
        n = snprintf(text, sizeof text - 2, "%.*g", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    if (!strpbrk(text, ".e")) {
        text[n++] = '.';
        text[n++] = '0';
    }
    put_value(w, text, (size_t)n, true);
}

static void put_object(struct json_write *w, const json_t *value)
{
    json_t *object = (json_t *)value; // the iterator changes nothing, yet is not const
    json_obj_begin(w);
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        json_key_span(w, (struct span){json_object_iter_key(i), json_object_iter_key_len(i)});
        json_value(w, json_object_iter_value(i));
    }
    json_obj_end(w);
}

static void put_array(struct json_write *w, const json_t *value)
{
    json_arr_begin(w);
    for (size_t i = 0; i < json_array_size(value); i++)
        json_value(w, json_array_get(value, i));
    json_arr_end(w);
}

void json_value(struct json_write *w, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(w, value);
        break;
    case JSON_ARRAY:
        put_array(w, value);
        break;
    case JSON_STRING:
        json_str(w, (struct span){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        json_i64(w, json_integer_value(value));
        break;
    case JSON_REAL:
        put_real(w, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(w, json_is_true(value));
        break;
    case JSON_NULL:
        json_none(w);
        break;
    }
}

void json_kstr(struct json_write *w, const char *key, struct span text)
{
    json_key(w, key);
    json_str(w, text);
}

void json_kcstr(struct json_write *w, const char *key, const char *text)
{
    if (text)
        json_kstr(w, key, span_of(text));
}

void json_ki64(struct json_write *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_i64(w, v);
}

void json_kbool(struct json_write *w, const char *key, bool v)
{
    json_key(w, key);
    json_bool(w, v);
}

void json_kepoch(struct json_write *w, const char *key, int64_t ns)
{
    json_key(w, key);
    json_epoch(w, ns);
}
