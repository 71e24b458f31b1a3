// DynamoDB's numbers: up to 38 significant decimal digits, magnitude 1E-130 .. 9.99…E+125, and zero.
// Source: Amazon DynamoDB developer guide, "Naming rules and data types" (Number), "Constraints".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define NUMBER_MAX_DIGITS 38
#define NUMBER_TEXT_MAX 171 // "-0." + 129 zeros + 38 digits, and a terminator
#define NUMBER_ENC_MAX 22   // sign, exponent, 19 pairs of digits, end

// value = digits[0].digits[1]digits[2]… * 10^exp; no zero at either end of the digits; n == 0 is zero.
struct number {
    bool negative;
    uint8_t n;
    int16_t exp;
    uint8_t digits[NUMBER_MAX_DIGITS];
};

enum number_error { NUMBER_OK, NUMBER_NOT_NUMERIC, NUMBER_TOO_PRECISE, NUMBER_OVERFLOW, NUMBER_UNDERFLOW };

// Reads the wire text: sign, digits with an optional point, optional exponent. out is untouched unless NUMBER_OK.
MUST_CHECK enum number_error number_parse(struct span text, struct number *out);
// AWS's sentence for an error (without the text that NUMBER_NOT_NUMERIC appends). NULL for NUMBER_OK.
const char *number_error_text(enum number_error e);

// The text DynamoDB answers with: plain decimal, no exponent, no needless zeros. Terminated; returns its length.
size_t number_format(const struct number *v, char out[NUMBER_TEXT_MAX]);

// Bytes whose memcmp order is the numeric order, equal bytes for equal numbers; self-delimiting. Returns their count.
size_t number_encode(const struct number *v, unsigned char out[NUMBER_ENC_MAX]);
// Reads one encoded number from the front of bytes; *used says how long it was. False when it is no number_encode()
// output.
MUST_CHECK bool number_decode(struct span bytes, struct number *out, size_t *used);

// Size as DynamoDB counts it for capacity and the item limit: one byte, one for each two significant digits before and
// behind the point (each count rounded up to pairs), one when negative.
size_t number_size(const struct number *v);

// <0, 0, >0.
int number_compare(const struct number *a, const struct number *b);
