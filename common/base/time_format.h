// Text forms of a time (nanoseconds since 1970, UTC, proleptic Gregorian).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

#define TIME_ISO_SIZE 21  // "2025-05-20T20:45:00Z"
#define TIME_AMZ_SIZE 17  // "20250520T204500Z"
#define TIME_HTTP_SIZE 30 // "Tue, 20 May 2025 20:45:00 GMT"
#define TIME_JAVA_SIZE 32 // "May 21, 2025, 5:47:45 AM", CloudTrail's form inside request and response members

struct civil_time {
    int year, month, day, hour, minute, second, weekday; // month and day from 1; weekday 0 is Sunday
};

struct civil_time time_civil(int64_t ns);
void time_iso(int64_t ns, char out[TIME_ISO_SIZE]);
void time_amz(int64_t ns, char out[TIME_AMZ_SIZE]);
void time_http(int64_t ns, char out[TIME_HTTP_SIZE]);
void time_java(int64_t ns, char out[TIME_JAVA_SIZE]);
// Seconds since 1970, as numbers in JSON, to nanoseconds; what 64 bits do not hold becomes the first or the last time.
int64_t time_of_seconds(double seconds);
// RFC 3339 ("2019-03-11T09:00:00Z", fractions and offsets allowed), and SigV4's basic form. False when malformed.
bool time_parse_rfc3339(struct span text, int64_t *ns);
bool time_parse_amz(struct span text, int64_t *ns);
// A span of time as people write it in options: "300", "300s", "5m", "2h", "250ms", "1d". False when malformed.
bool time_parse_duration(struct span text, int64_t *ns);
