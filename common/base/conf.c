// Configuration read by one table: flags, then the file. Called by the daemon's start and by nobody while it runs; what
// the options mean is the caller's. Help and sample are in conf_print.c.
#include "common/base/conf.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/conf_internal.h"
#include "common/base/file.h"
#include "common/base/time_format.h"

#define MAX_FILE (1024 * 1024)

// Where a complaint goes, and what it begins with.
struct complaint {
    char *why;
    size_t size;
    char place[512]; // "--workers", or "/etc/kmsd.conf:12: workers"
};

__attribute__((format(printf, 2, 3))) static bool complain(struct complaint *c, const char *format, ...)
{
    va_list args;
    int n = snprintf(c->why, c->size, "%s: ", c->place);
    if (n < 0 || (size_t)n >= c->size)
        return false;
    va_start(args, format);
    vsnprintf(c->why + n, c->size - (size_t)n, format, args);
    va_end(args);
    return false;
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static const struct conf_option *find(const struct conf *c, struct span name)
{
    for (size_t i = 0; i < c->n_rows; i++)
        if (span_is(name, c->rows[i].name))
            return &c->rows[i];
    return NULL;
}

static struct conf_value *value_of(const struct conf *c, const struct conf_option *row)
{
    return &c->values[row - c->rows];
}

static void clear(struct conf_value *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->items[i]);
    free(v->items);
    v->items = NULL;
    v->n = 0;
}

static bool is_choice(const char *choices, struct span text)
{
    for (const char *p = choices; *p;) {
        size_t n = strcspn(p, "|");
        if (span_eq((struct span){p, n}, text))
            return true;
        p += n + (p[n] == '|');
    }
    return false;
}

static bool parse_integer(const char *text, int64_t *v)
{
    size_t sign = *text == '-';
    if (text[sign] == '\0' || strspn(text + sign, "0123456789") != strlen(text + sign))
        return false;
    errno = 0;
    *v = strtoll(text, NULL, 10);
    return errno == 0;
}

static bool parse_number(const char *text, double *v)
{
    size_t sign = *text == '-', digits = strspn(text + sign, "0123456789");
    const char *rest = text + sign + digits;
    if (digits == 0 || (*rest == '.' && strspn(rest + 1, "0123456789") == 0))
        return false;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    *v = strtod(text, NULL);
    return *rest == '\0' && isfinite(*v);
}

void conf_bound_text(const struct conf_option *row, int64_t bound, char *out, size_t size)
{
    static const struct {
        const char *suffix;
        int64_t ns;
    } units[] = {
        {"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS}};
    if (row->kind == CONF_DURATION && bound)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (bound % units[i].ns == 0) {
                snprintf(out, size, "%" PRId64 "%s", bound / units[i].ns, units[i].suffix);
                return;
            }
    snprintf(out, size, "%" PRId64, bound);
}

static bool complain_of_bounds(const struct conf_option *row, const char *text, struct complaint *place)
{
    char min[32], max[32];
    conf_bound_text(row, row->min, min, sizeof min);
    conf_bound_text(row, row->max, max, sizeof max);
    return complain(place, "%s is not between %s and %s", text, min, max);
}

static bool check(const struct conf_option *row, struct conf_value *v, const char *text, struct complaint *place)
{
    switch (row->kind) {
    case CONF_CHOICE:
        return is_choice(row->choices, span_of(text)) || complain(place, "'%s' is none of %s", text, row->choices);
    case CONF_SWITCH:
        return is_choice("on|off", span_of(text)) || complain(place, "'%s' is neither on nor off", text);
    case CONF_INTEGER:
        if (!parse_integer(text, &v->integer))
            return complain(place, "'%s' is no whole number", text);
        break;
    case CONF_DURATION:
        if (!time_parse_duration(span_of(text), &v->integer))
            return complain(place, "'%s' is no duration such as 300s, 5m or 250ms", text);
        break;
    case CONF_NUMBER:
        if (!parse_number(text, &v->number))
            return complain(place, "'%s' is no number", text);
        if (conf_bounded(row) && (v->number < (double)row->min || v->number > (double)row->max))
            return complain_of_bounds(row, text, place);
        return true;
    case CONF_TEXT:
    case CONF_LIST: // "--state-dir=$DIR" without a DIR must not mean the default
        return *text || complain(place, "needs a value");
    case CONF_ACTION:
        return true;
    }
    if (conf_bounded(row) && (v->integer < row->min || v->integer > row->max))
        return complain_of_bounds(row, text, place);
    return true;
}

// Takes a text from a source: replaces what a weaker source said, adds to a list of the same source, and is checked but
// not kept when a stronger source has spoken.
static bool set(struct conf *c, const struct conf_option *row, enum conf_source source, const char *text,
                struct complaint *place)
{
    struct conf_value *v = value_of(c, row), probe = {0};
    bool keep = source >= v->source;
    if (!check(row, keep ? v : &probe, text, place))
        return false;
    if (!keep)
        return true;
    if (row->kind != CONF_LIST || source > v->source)
        clear(v);
    v->items = must(realloc(v->items, (v->n + 1) * sizeof *v->items));
    v->items[v->n++] = must(strdup(text));
    v->source = source;
    return true;
}

struct conf *conf_new(const char *program, const char *summary, const struct conf_option *rows)
{
    struct conf *c = must(calloc(1, sizeof *c));
    *c = (struct conf){.program = program, .summary = summary, .rows = rows};
    while (rows[c->n_rows].name)
        c->n_rows++;
    c->values = must(calloc(c->n_rows + 1, sizeof *c->values));
    for (size_t i = 0; i < c->n_rows; i++) {
        char why[256];
        struct complaint place = {.why = why, .size = sizeof why};
        snprintf(place.place, sizeof place.place, "default of %s", rows[i].name);
        if (rows[i].def && !set(c, &rows[i], CONF_FROM_DEFAULT, rows[i].def, &place)) {
            fprintf(stderr, "%s\n", why); // a mistake in the program
            abort();
        }
    }
    return c;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_rows; i++)
        clear(&c->values[i]);
    free(c->values);
    free(c);
}

// Reads the flag at argv[*i], and moves *i on to its value if that is an argument of its own.
static bool read_flag(struct conf *c, int argc, char **argv, int *i, struct complaint *place)
{
    const char *arg = argv[*i];
    snprintf(place->place, sizeof place->place, "%s", arg);
    if (strncmp(arg, "--", 2) != 0)
        return complain(place, "arguments are flags that begin with -- (see --help)");
    const char *name = arg + 2, *equals = strchr(name, '=');
    struct span key = {name, equals ? (size_t)(equals - name) : strlen(name)};
    snprintf(place->place, sizeof place->place, "--%.*s", (int)(key.n < 256 ? key.n : 256), name);
    const struct conf_option *row = find(c, key);
    if (!row)
        return complain(place, "no such option (see --help)");
    if (row->kind == CONF_ACTION) {
        if (equals)
            return complain(place, "takes no value");
        if (!c->action)
            c->action = row->name;
        return true;
    }
    if (row->kind == CONF_SWITCH && !equals)
        return set(c, row, CONF_FROM_FLAG, "on", place);
    if (!equals && *i + 1 >= argc)
        return complain(place, "needs a value");
    return set(c, row, CONF_FROM_FLAG, equals ? equals + 1 : argv[++*i], place);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.n && blank(s.p[0]))
        s = (struct span){s.p + 1, s.n - 1};
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

// seen[row] remembers which keys the file has had.
static bool read_line(struct conf *c, struct span line, bool *seen, struct complaint *place)
{
    line = trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return true;
    if (memchr(line.p, '\0', line.n))
        return complain(place, "a zero byte");
    const char *equals = memchr(line.p, '=', line.n);
    if (!equals)
        return complain(place, "not of the form 'key = value'");
    struct span key = trim((struct span){line.p, (size_t)(equals - line.p)});
    struct span value = trim((struct span){equals + 1, line.n - (size_t)(equals + 1 - line.p)});
    size_t used = strlen(place->place);
    snprintf(place->place + used, sizeof place->place - used, ": %.*s", (int)(key.n < 64 ? key.n : 64), key.p);
    const struct conf_option *row = find(c, key);
    if (!row)
        return complain(place, "no such option");
    if (row->kind == CONF_ACTION || strcmp(row->name, "config") == 0)
        return complain(place, "only a flag, not for the file");
    if (seen[row - c->rows] && row->kind != CONF_LIST)
        return complain(place, "given twice");
    seen[row - c->rows] = true;
    char *text = must(strndup(value.p, value.n));
    bool ok = set(c, row, CONF_FROM_FILE, text, place);
    free(text);
    return ok;
}

static bool read_lines(struct conf *c, const char *path, struct span rest, bool *seen, struct complaint *place)
{
    for (unsigned number = 1; rest.n; number++) {
        const char *end = memchr(rest.p, '\n', rest.n);
        struct span line = {rest.p, end ? (size_t)(end - rest.p) : rest.n};
        size_t used = line.n + (end != NULL);
        rest = (struct span){rest.p + used, rest.n - used};
        snprintf(place->place, sizeof place->place, "%.300s:%u", path, number);
        if (!read_line(c, line, seen, place))
            return false;
    }
    return true;
}

static bool read_config_file(struct conf *c, const char *path, struct complaint *place)
{
    struct buf b;
    buf_init(&b, MAX_FILE);
    snprintf(place->place, sizeof place->place, "%.300s", path);
    bool ok = file_read(path, &b) || complain(place, "%s", strerror(errno));
    if (ok) {
        bool *seen = must(calloc(c->n_rows + 1, sizeof *seen));
        ok = read_lines(c, path, buf_span(&b), seen, place);
        free(seen);
    }
    buf_done(&b);
    return ok;
}

bool conf_read(struct conf *c, int argc, char **argv, char *why, size_t why_size)
{
    struct complaint place = {.why = why, .size = why_size};
    for (int i = 1; i < argc; i++)
        if (!read_flag(c, argc, argv, &i, &place))
            return false;
    if (c->action) // prints and exits: a broken file must not keep --help from helping
        return true;
    const struct conf_option *row = find(c, SPAN("config"));
    const char *path = row ? conf_text(c, "config") : NULL;
    return !path || read_config_file(c, path, &place);
}

const char *conf_action(const struct conf *c)
{
    return c->action;
}

// The value of a row that must exist and be of one of the kinds (a set of bits).
static struct conf_value *get(const struct conf *c, const char *name, unsigned kinds)
{
    const struct conf_option *row = find(c, span_of(name));
    if (!row || !(1u << row->kind & kinds)) {
        fprintf(stderr, "conf: the table has no such option: %s\n", name); // a mistake in the program
        abort();
    }
    return value_of(c, row);
}

const char *conf_text(const struct conf *c, const char *name)
{
    const unsigned single =
        1u << CONF_TEXT | 1u << CONF_CHOICE | 1u << CONF_INTEGER | 1u << CONF_DURATION | 1u << CONF_NUMBER;
    const struct conf_value *v = get(c, name, single);
    return v->n ? v->items[0] : NULL;
}

int64_t conf_integer(const struct conf *c, const char *name)
{
    return get(c, name, 1u << CONF_INTEGER)->integer;
}

int64_t conf_duration_ns(const struct conf *c, const char *name)
{
    return get(c, name, 1u << CONF_DURATION)->integer;
}

double conf_number(const struct conf *c, const char *name)
{
    return get(c, name, 1u << CONF_NUMBER)->number;
}

bool conf_switch(const struct conf *c, const char *name)
{
    const struct conf_value *v = get(c, name, 1u << CONF_SWITCH);
    return v->n && strcmp(v->items[0], "on") == 0;
}

size_t conf_count(const struct conf *c, const char *name)
{
    return get(c, name, 1u << CONF_LIST)->n;
}

const char *conf_item(const struct conf *c, const char *name, size_t i)
{
    const struct conf_value *v = get(c, name, 1u << CONF_LIST);
    if (i >= v->n)
        abort();
    return v->items[i];
}

bool conf_given(const struct conf *c, const char *name)
{
    return get(c, name, ~0u)->source != CONF_FROM_DEFAULT;
}
