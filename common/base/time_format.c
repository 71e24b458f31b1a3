// Text forms of a time, and their readers. Own calendar arithmetic: the C library's takes a lock and looks at the time
// zone, and every audit record is stamped here. Knows nothing of clocks.
#include "common/base/time_format.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

#define DAY_S 86400
#define DAYS_400 146097 // days in 400 years
#define DAYS_100 36524  // in a century that does not end in a leap year
#define DAYS_4 1461

// Years are counted from 1 March, so that the leap day is a year's last; 1 March 0000 is this many days before 1970.
#define EPOCH_FROM_MARCH_0000 719468

// Days of a March year before its n-th month.
static const int month_start[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};
static const char month_name[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_name[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void date_of_day(int64_t day, struct civil_time *t)
{
    t->weekday = (int)((day % 7 + 11) % 7); // 1 January 1970 was a Thursday
    day += EPOCH_FROM_MARCH_0000;
    int64_t cycle = floor_div(day, DAYS_400);
    int rest = (int)(day - cycle * DAYS_400);
    int century = rest / DAYS_100;
    if (century > 3) // the leap day at the end of 400 years
        century = 3;
    rest -= century * DAYS_100;
    int four = rest / DAYS_4;
    rest -= four * DAYS_4;
    int single = rest / 365;
    if (single > 3)
        single = 3;
    rest -= single * 365;
    int m = 11;
    while (rest < month_start[m])
        m--;
    t->year = (int)cycle * 400 + century * 100 + four * 4 + single + (m >= 10);
    t->month = m >= 10 ? m - 9 : m + 3;
    t->day = rest - month_start[m] + 1;
}

static int64_t day_of_date(const struct civil_time *t)
{
    int64_t y = t->month <= 2 ? t->year - 1 : t->year;
    int m = t->month <= 2 ? t->month + 9 : t->month - 3;
    return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) + month_start[m] + t->day - 1 -
           EPOCH_FROM_MARCH_0000;
}

struct civil_time time_civil(int64_t ns)
{
    int64_t s = floor_div(ns, NS_PER_S);
    int64_t day = floor_div(s, DAY_S);
    int rest = (int)(s - day * DAY_S);
    struct civil_time t = {.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60};
    date_of_day(day, &t);
    return t;
}

static char *put2(char *to, int v)
{
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
    return to + 2;
}

static char *put4(char *to, int v)
{
    return put2(put2(to, v / 100), v % 100);
}

static char *put_char(char *to, char c)
{
    *to = c;
    return to + 1;
}

static char *put_clock(char *to, const struct civil_time *t)
{
    to = put_char(put2(to, t->hour), ':');
    to = put_char(put2(to, t->minute), ':');
    return put2(to, t->second);
}

void time_iso(int64_t ns, char out[TIME_ISO_SIZE])
{
    struct civil_time t = time_civil(ns);
    out = put_char(put4(out, t.year), '-');
    out = put_char(put2(out, t.month), '-');
    out = put_char(put2(out, t.day), 'T');
    out = put_char(put_clock(out, &t), 'Z');
    *out = '\0';
}

void time_amz(int64_t ns, char out[TIME_AMZ_SIZE])
{
    struct civil_time t = time_civil(ns);
    out = put_char(put2(put2(put4(out, t.year), t.month), t.day), 'T');
    out = put_char(put2(put2(put2(out, t.hour), t.minute), t.second), 'Z');
    *out = '\0';
}

void time_http(int64_t ns, char out[TIME_HTTP_SIZE])
{
    struct civil_time t = time_civil(ns);
    memcpy(out, day_name[t.weekday], 3);
    memcpy(out + 3, ", ", 2);
    out = put_char(put2(out + 5, t.day), ' ');
    memcpy(out, month_name[t.month - 1], 3);
    out = put_char(put4(put_char(out + 3, ' '), t.year), ' ');
    out = put_clock(out, &t);
    memcpy(out, " GMT", 5);
}

void time_java(int64_t ns, char out[TIME_JAVA_SIZE])
{
    struct civil_time t = time_civil(ns);
    snprintf(out, TIME_JAVA_SIZE, "%s %d, %d, %d:%02d:%02d %s", month_name[t.month - 1], t.day, t.year,
             t.hour % 12 ? t.hour % 12 : 12, t.minute, t.second, t.hour < 12 ? "AM" : "PM");
}

// Reads exactly n digits off the front.
static bool take_number(struct span *text, size_t n, int *v)
{
    if (text->n < n)
        return false;
    *v = 0;
    for (size_t i = 0; i < n; i++) {
        if (text->p[i] < '0' || text->p[i] > '9')
            return false;
        *v = *v * 10 + (text->p[i] - '0');
    }
    *text = (struct span){text->p + n, text->n - n};
    return true;
}

static bool take_char(struct span *text, char c)
{
    if (text->n == 0 || text->p[0] != c)
        return false;
    *text = (struct span){text->p + 1, text->n - 1};
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

// A leap second (:60) is refused: this time line has none.
static bool civil_ok(const struct civil_time *t)
{
    return t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= days_in_month(t->year, t->month) &&
           t->hour <= 23 && t->minute <= 59 && t->second <= 59;
}

// False when the result lies outside of what 64 bits hold (21 September 1677 to 11 April 2262).
static bool to_ns(const struct civil_time *t, int offset_s, int64_t fraction_ns, int64_t *ns)
{
    int64_t s = day_of_date(t) * DAY_S + t->hour * 3600 + t->minute * 60 + t->second - offset_s;
    if (s < 0 && fraction_ns) { // keeps the product representable at the lower end
        s++;
        fraction_ns -= NS_PER_S;
    }
    return !__builtin_mul_overflow(s, NS_PER_S, ns) && !__builtin_add_overflow(*ns, fraction_ns, ns);
}

// Digits beyond the ninth say nothing here.
static bool take_fraction(struct span *text, int64_t *ns)
{
    *ns = 0;
    if (!take_char(text, '.'))
        return true;
    int64_t unit = NS_PER_S / 10;
    int digit;
    if (!take_number(text, 1, &digit))
        return false;
    do {
        *ns += digit * unit;
        unit /= 10;
    } while (take_number(text, 1, &digit));
    return true;
}

static bool take_offset(struct span *text, int *offset_s)
{
    *offset_s = 0;
    if (take_char(text, 'Z') || take_char(text, 'z'))
        return true;
    bool west = take_char(text, '-');
    int hours, minutes;
    if ((!west && !take_char(text, '+')) || !take_number(text, 2, &hours) || !take_char(text, ':') ||
        !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool time_parse_rfc3339(struct span text, int64_t *ns)
{
    struct civil_time t = {0};
    int64_t fraction;
    int offset;
    return take_number(&text, 4, &t.year) && take_char(&text, '-') && take_number(&text, 2, &t.month) &&
           take_char(&text, '-') && take_number(&text, 2, &t.day) && (take_char(&text, 'T') || take_char(&text, 't')) &&
           take_number(&text, 2, &t.hour) && take_char(&text, ':') && take_number(&text, 2, &t.minute) &&
           take_char(&text, ':') && take_number(&text, 2, &t.second) && take_fraction(&text, &fraction) &&
           take_offset(&text, &offset) && text.n == 0 && civil_ok(&t) && to_ns(&t, offset, fraction, ns);
}

int64_t time_of_seconds(double seconds)
{
    // The dates that fit, in seconds, rounded towards now.
    if (seconds >= 9.22e9)
        return INT64_MAX;
    if (seconds <= -9.22e9)
        return INT64_MIN;
    double ms = seconds * 1000;
    return (int64_t)(ms < 0 ? ms - 0.5 : ms + 0.5) * NS_PER_MS;
}

bool time_parse_amz(struct span text, int64_t *ns)
{
    struct civil_time t = {0};
    return take_number(&text, 4, &t.year) && take_number(&text, 2, &t.month) && take_number(&text, 2, &t.day) &&
           take_char(&text, 'T') && take_number(&text, 2, &t.hour) && take_number(&text, 2, &t.minute) &&
           take_number(&text, 2, &t.second) && take_char(&text, 'Z') && text.n == 0 && civil_ok(&t) &&
           to_ns(&t, 0, 0, ns);
}

bool time_parse_duration(struct span text, int64_t *ns)
{
    static const struct {
        const char *suffix;
        int64_t ns;
    } units[] = {{"", NS_PER_S},       {"ms", NS_PER_MS},      {"s", NS_PER_S},
                 {"m", NS_PER_S * 60}, {"h", NS_PER_S * 3600}, {"d", NS_PER_S * DAY_S}};
    int64_t count = 0;
    int digit;
    if (!take_number(&text, 1, &digit))
        return false;
    do {
        if (__builtin_mul_overflow(count, 10, &count) || __builtin_add_overflow(count, digit, &count))
            return false;
    } while (take_number(&text, 1, &digit));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (span_is(text, units[i].suffix))
            return !__builtin_mul_overflow(count, units[i].ns, ns);
    return false;
}
