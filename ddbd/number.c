// DynamoDB's numbers: reading, printing, ordering and sizing them. Pure functions; called by attr_value and key_codec.
// No arithmetic (update expressions will need it) and no binary floating point anywhere.
#include "ddbd/number.h"

#include <string.h>

#define EXP_MIN (-130) // of the first digit
#define EXP_MAX 125

// First byte of the encoding: the sign decides first.
#define ENC_NEGATIVE 0x10
#define ENC_ZERO 0x20
#define ENC_POSITIVE 0x30

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Mantissa while it is read: significant digits go to digits[] until it is full, all are counted.
struct mantissa {
    uint8_t digits[NUMBER_MAX_DIGITS];
    size_t significant; // digits from the first to the last that is not zero
    size_t seen;        // digits from the first that is not zero
    int64_t first_exp;  // place of the first digit that is not zero
    bool any;           // there was a digit at all
};

static void take_digit(struct mantissa *m, unsigned d, int64_t place)
{
    m->any = true;
    if (!m->seen && d == 0)
        return;
    if (!m->seen)
        m->first_exp = place;
    if (m->seen < NUMBER_MAX_DIGITS)
        m->digits[m->seen] = (uint8_t)d;
    m->seen++;
    if (d)
        m->significant = m->seen;
}

// Places count from the digit before the point: place 0 is the ones. The integer part's length is found first.
static size_t read_mantissa(struct span s, size_t at, struct mantissa *m)
{
    size_t end = at;
    while (end < s.n && is_digit(s.p[end]))
        end++;
    int64_t place = (int64_t)(end - at) - 1;
    for (; at < end; at++)
        take_digit(m, (unsigned)(s.p[at] - '0'), place--);
    if (at < s.n && s.p[at] == '.')
        for (at++; at < s.n && is_digit(s.p[at]); at++)
            take_digit(m, (unsigned)(s.p[at] - '0'), place--);
    return at;
}

// "e+12" at `at`; the exponent must fit 32 bits, as it does in AWS's decimal type. False when malformed.
static bool read_exponent(struct span s, size_t at, int64_t *exp)
{
    *exp = 0;
    if (at == s.n)
        return true;
    if (s.p[at] != 'e' && s.p[at] != 'E')
        return false;
    at++;
    bool negative = at < s.n && s.p[at] == '-';
    if (at < s.n && (s.p[at] == '-' || s.p[at] == '+'))
        at++;
    if (at == s.n)
        return false;
    for (; at < s.n; at++) {
        if (!is_digit(s.p[at]))
            return false;
        *exp = *exp * 10 + (s.p[at] - '0');
        if (*exp > INT32_MAX)
            return false;
    }
    if (negative)
        *exp = -*exp;
    return true;
}

enum number_error number_parse(struct span text, struct number *out)
{
    struct mantissa m = {0};
    bool negative = text.n && text.p[0] == '-';
    size_t at = text.n && (text.p[0] == '-' || text.p[0] == '+');
    at = read_mantissa(text, at, &m);
    int64_t exp;
    if (!m.any || !read_exponent(text, at, &exp))
        return NUMBER_NOT_NUMERIC;
    if (!m.significant) {
        *out = (struct number){0};
        return NUMBER_OK;
    }
    exp += m.first_exp;
    // Magnitude is judged before precision, as AWS does.
    if (exp > EXP_MAX)
        return NUMBER_OVERFLOW;
    if (exp < EXP_MIN)
        return NUMBER_UNDERFLOW;
    if (m.significant > NUMBER_MAX_DIGITS)
        return NUMBER_TOO_PRECISE;
    *out = (struct number){.negative = negative, .n = (uint8_t)m.significant, .exp = (int16_t)exp};
    memcpy(out->digits, m.digits, m.significant);
    return NUMBER_OK;
}

const char *number_error_text(enum number_error e)
{
    switch (e) {
    case NUMBER_OK:
        return NULL;
    case NUMBER_TOO_PRECISE:
        return "Attempting to store more than 38 significant digits in a Number";
    case NUMBER_OVERFLOW:
        return "Number overflow. Attempting to store a number with magnitude larger than supported range";
    case NUMBER_UNDERFLOW:
        return "Number underflow. Attempting to store a number with magnitude smaller than supported range";
    case NUMBER_NOT_NUMERIC:
        break;
    }
    return "The parameter cannot be converted to a numeric value";
}

size_t number_format(const struct number *v, char out[NUMBER_TEXT_MAX])
{
    char *to = out;
    if (v->negative)
        *to++ = '-';
    if (v->exp < 0 || !v->n)
        *to++ = '0';
    if (v->exp < 0) {
        *to++ = '.';
        for (int place = -1; place > v->exp; place--)
            *to++ = '0';
    }
    for (int i = 0; i < v->n; i++) {
        if (i && i == v->exp + 1)
            *to++ = '.';
        *to++ = (char)('0' + v->digits[i]);
    }
    for (int place = v->n; v->n && place <= v->exp; place++)
        *to++ = '0';
    *to = '\0';
    return (size_t)(to - out);
}

// Sign byte; biased exponent; pairs of digits as 1..100, the last padded by 0; an end byte below every pair. A negative
// number's bytes after the sign are complemented, so that larger magnitudes sort lower.
size_t number_encode(const struct number *v, unsigned char out[NUMBER_ENC_MAX])
{
    if (!v->n) {
        out[0] = ENC_ZERO;
        return 1;
    }
    size_t n = 0;
    out[n++] = v->negative ? ENC_NEGATIVE : ENC_POSITIVE;
    unsigned char flip = v->negative ? 0xff : 0;
    out[n++] = (unsigned char)((v->exp - EXP_MIN) ^ flip);
    for (unsigned i = 0; i < v->n; i += 2) {
        unsigned low = i + 1 < v->n ? v->digits[i + 1] : 0;
        out[n++] = (unsigned char)((v->digits[i] * 10 + low + 1) ^ flip);
    }
    out[n++] = flip;
    return n;
}

// The pairs of an encoding, starting at bytes.p[2]. False when they are not what number_encode() writes.
static bool decode_pairs(struct span bytes, unsigned char flip, struct number *out, size_t *used)
{
    size_t at = 2;
    for (;; at++) {
        if (at == bytes.n)
            return false;
        unsigned pair = (unsigned char)bytes.p[at] ^ flip;
        if (pair == 0)
            break;
        if (pair > 100 || out->n + 2 > NUMBER_MAX_DIGITS)
            return false;
        out->digits[out->n++] = (uint8_t)((pair - 1) / 10);
        out->digits[out->n++] = (uint8_t)((pair - 1) % 10);
    }
    *used = at + 1;
    if (out->n && out->digits[out->n - 1] == 0)
        out->n--;
    // Canonical: no zero at either end.
    return out->n && out->digits[0] && out->digits[out->n - 1];
}

bool number_decode(struct span bytes, struct number *out, size_t *used)
{
    *out = (struct number){0};
    if (!bytes.n)
        return false;
    unsigned char sign = (unsigned char)bytes.p[0];
    *used = 1;
    if (sign == ENC_ZERO)
        return true;
    if ((sign != ENC_NEGATIVE && sign != ENC_POSITIVE) || bytes.n < 3)
        return false;
    unsigned char flip = sign == ENC_NEGATIVE ? 0xff : 0;
    out->negative = sign == ENC_NEGATIVE;
    out->exp = (int16_t)(((unsigned char)bytes.p[1] ^ flip) + EXP_MIN);
    return decode_pairs(bytes, flip, out, used);
}

// Measured on the real service (nubo-db/dynamodb-conformance, 2026-08-18): the digits before and behind the point are
// rounded up to pairs separately, so 3.14159 costs a byte more than 314159.
size_t number_size(const struct number *v)
{
    if (!v->n)
        return 1;
    int integer = v->exp + 1; // digits before the point
    int before = integer <= 0 ? 0 : integer < v->n ? integer : v->n;
    int behind = v->n - before;
    return (size_t)(1 + (before + 1) / 2 + (behind + 1) / 2 + (v->negative ? 1 : 0));
}

int number_compare(const struct number *a, const struct number *b)
{
    unsigned char x[NUMBER_ENC_MAX], y[NUMBER_ENC_MAX];
    struct span sx = {(char *)x, number_encode(a, x)}, sy = {(char *)y, number_encode(b, y)};
    return span_cmp(sx, sy);
}
