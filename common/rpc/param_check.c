// The sentences of AWS's request validation. Called by param.c for every member that a request carries or lacks.
#include "common/rpc/param_check.h"

#include <string.h>

// Beyond this many bytes of sentences a request gets no more of them.
#define SENTENCES_MAX (256 * 1024)

void param_violations_init(struct param_violations *v)
{
    buf_init(&v->text, SENTENCES_MAX);
    v->n = v->masked_n = 0;
}

static const char *whole(const struct param_violations *v, const struct buf *text, struct arena *arena)
{
    return arena_printf(arena, "%zu validation error%s detected: %.*s", v->n, v->n > 1 ? "s" : "", (int)text->len,
                        text->data);
}

// The sentences with *** in the place of what they quote and may not be shown.
static const char *masked(const struct param_violations *v, struct arena *arena)
{
    struct buf shown;
    size_t at = 0;
    buf_init(&shown, SENTENCES_MAX + PARAM_MASKED_MAX * 3);
    for (size_t i = 0; i < v->masked_n; i++) {
        buf_append(&shown, v->text.data + at, v->masked[i].from - at);
        buf_append_str(&shown, "***");
        at = v->masked[i].to;
    }
    buf_append(&shown, v->text.data + at, v->text.len - at);
    const char *sentence = whole(v, &shown, arena);
    buf_wipe(&shown);
    return sentence;
}

const char *param_violations_take(struct param_violations *v, struct arena *arena, const char **for_trail)
{
    const char *sentence = v->n > 0 ? whole(v, &v->text, arena) : NULL;
    *for_trail = v->masked_n > 0 ? masked(v, arena) : NULL;
    buf_wipe(&v->text);
    return sentence;
}

// What was quoted from `from` on. No operation has as many hidden members as there is room for; what would not fit is
// masked with all that lies between.
static void mask(struct param_violations *v, const struct param *row, size_t from)
{
    if (row->trail != PARAM_HIDDEN || v->text.len == from)
        return;
    if (v->masked_n < PARAM_MASKED_MAX)
        v->masked[v->masked_n++].from = from;
    v->masked[v->masked_n - 1].to = v->text.len;
}

static void begin_sentence(struct param_violations *v, const char *words)
{
    if (v->n++ > 0)
        buf_append_str(&v->text, "; ");
    buf_append_str(&v->text, words);
}

static void begin(struct param_violations *v)
{
    begin_sentence(v, "Value ");
}

static void begin_nameless(struct param_violations *v)
{
    begin_sentence(v, "Failed to satisfy constraint: ");
}

static void begin_plain(struct param_violations *v, const char *path)
{
    begin(v);
    buf_appendf(&v->text, "at '%s' failed to satisfy constraint: ", path);
}

static void begin_string(struct param_violations *v, const struct param *row, const char *path, struct span value)
{
    if (row->sensitive) {
        begin_plain(v, path);
        return;
    }
    begin(v);
    buf_append_char(&v->text, '\'');
    size_t from = v->text.len;
    buf_append_span(&v->text, value);
    mask(v, row, from);
    buf_appendf(&v->text, "' at '%s' failed to satisfy constraint: ", path);
}

void param_violation_null(struct param_violations *v, const char *path, bool sensitive)
{
    begin(v);
    buf_appendf(&v->text, "%sat '%s' failed to satisfy constraint: Member must not be null", sensitive ? "" : "null ",
                path);
}

// Characters, not bytes: AWS counts the UTF-16 units of a Java string.
static int64_t java_length(struct span s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c & 0xc0) != 0x80)
            n += c >= 0xf0 ? 2 : 1;
    }
    return n;
}

static bool out_of(int64_t n, int64_t min, int64_t max)
{
    return (min || max) && (n < min || n > max);
}

static bool is_choice(const char *const *choices, struct span value)
{
    for (; *choices; choices++)
        if (span_is(value, *choices))
            return true;
    return false;
}

static void append_choices(struct buf *b, const char *const *choices)
{
    buf_append_str(b, "Member must satisfy enum value set: [");
    for (const char *const *c = choices; *c; c++)
        buf_appendf(b, "%s%s", c == choices ? "" : ", ", *c);
    buf_append_char(b, ']');
}

static void append_length(struct buf *b, bool too_long, int64_t bound)
{
    buf_appendf(b, "Member must have length %s than or equal to %lld", too_long ? "less" : "greater", (long long)bound);
}

void param_check_string(struct param_violations *v, const struct param *row, const char *path, struct span value)
{
    if (row->choices) {
        if (!is_choice(row->choices, value) && !(row->also && is_choice(row->also, value))) {
            if (row->nameless)
                begin_nameless(v);
            else
                begin_string(v, row, path, value);
            append_choices(&v->text, row->shown ? row->shown : row->choices);
        }
        return;
    }
    int64_t n = java_length(value);
    if (out_of(n, row->min, row->max)) {
        begin_string(v, row, path, value);
        append_length(&v->text, n > row->max, n > row->max ? row->max : row->min);
    }
    if (row->matches && !row->matches(value)) {
        begin_string(v, row, path, value);
        buf_appendf(&v->text, "Member must satisfy regular expression pattern: %s", row->pattern);
    }
}

void param_check_count(struct param_violations *v, const struct param *row, const char *path, size_t n)
{
    int64_t count = (int64_t)n;
    if (!out_of(count, row->min, row->max))
        return;
    begin_plain(v, path);
    append_length(&v->text, count > row->max, count > row->max ? row->max : row->min);
}

// As Java prints a structure: "KeySchemaElement(attributeName=pk, keyType=HASH)".
static void append_structure(struct buf *b, const struct param *row, const json_t *structure)
{
    buf_append_str(b, row->shape);
    buf_append_char(b, '(');
    for (const struct param *m = row->members; m->name; m++) {
        const json_t *value = json_object_get(structure, m->name);
        buf_appendf(b, "%s%c%s=", m == row->members ? "" : ", ", m->name[0] - 'A' + 'a', m->name + 1);
        if (json_is_string(value))
            buf_append(b, json_string_value(value), json_string_length(value));
        else
            buf_append_str(b, "null");
    }
    buf_append_char(b, ')');
}

void param_check_objects(struct param_violations *v, const struct param *row, const char *path, const json_t *list)
{
    int64_t n = (int64_t)json_array_size(list);
    if (!row->shape || !out_of(n, row->min, row->max)) {
        param_check_count(v, row, path, (size_t)n);
        return;
    }
    begin(v);
    buf_append_str(&v->text, "'[");
    for (size_t i = 0; i < (size_t)n; i++) {
        buf_append_str(&v->text, i ? ", " : "");
        append_structure(&v->text, row, json_array_get(list, i));
    }
    buf_appendf(&v->text, "]' at '%s' failed to satisfy constraint: ", path);
    append_length(&v->text, n > row->max, n > row->max ? row->max : row->min);
}

void param_check_blob(struct param_violations *v, const struct param *row, const char *path, size_t n)
{
    param_check_count(v, row, path, n);
}

void param_check_integer(struct param_violations *v, const struct param *row, const char *path, int64_t value)
{
    if (!out_of(value, row->min, row->max))
        return;
    begin(v);
    bool big = value > row->max;
    buf_appendf(&v->text,
                "'%lld' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %lld",
                (long long)value, path, big ? "less" : "greater", (long long)(big ? row->max : row->min));
}

// "[Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"
static void append_bounds(struct buf *b, int64_t min, int64_t max)
{
    buf_append_char(b, '[');
    append_length(b, true, max);
    buf_append_str(b, ", ");
    append_length(b, false, min);
    buf_append_char(b, ']');
}

static void begin_list(struct param_violations *v, const struct param *row, const char *path,
                       const struct span_list *list)
{
    begin(v);
    buf_append_str(&v->text, "'[");
    size_t from = v->text.len;
    for (size_t i = 0; i < list->n; i++) {
        buf_append_str(&v->text, i ? ", " : "");
        buf_append_span(&v->text, list->v[i]);
    }
    mask(v, row, from);
    buf_appendf(&v->text, "]' at '%s' failed to satisfy constraint: ", path);
}

static bool item_bad(const struct param *row, struct span item)
{
    if (row->choices)
        return !is_choice(row->choices, item);
    return out_of(java_length(item), row->item_min, row->item_max) || (row->matches && !row->matches(item));
}

static void append_item_rule(struct buf *b, const struct param *row, struct span item)
{
    buf_append_str(b, "Member must satisfy constraint: ");
    if (row->choices) {
        buf_append_char(b, '[');
        append_choices(b, row->choices);
        buf_append_char(b, ']');
    } else if (out_of(java_length(item), row->item_min, row->item_max)) {
        append_bounds(b, row->item_min, row->item_max);
    } else {
        buf_appendf(b, "[Member must satisfy regular expression pattern: %s]", row->pattern);
    }
}

void param_check_strings(struct param_violations *v, const struct param *row, const char *path,
                         const struct span_list *list)
{
    int64_t n = (int64_t)list->n;
    if (out_of(n, row->min, row->max)) {
        begin_list(v, row, path, list);
        append_length(&v->text, n > row->max, n > row->max ? row->max : row->min);
    }
    for (size_t i = 0; i < list->n; i++) {
        if (item_bad(row, list->v[i])) {
            begin_list(v, row, path, list);
            append_item_rule(&v->text, row, list->v[i]);
            return;
        }
    }
}

static void begin_map(struct param_violations *v, const char *path, const struct str_map *map)
{
    begin(v);
    buf_append_str(&v->text, "'{");
    for (size_t i = 0; i < map->n; i++) {
        buf_append_str(&v->text, i ? ", " : "");
        buf_append_span(&v->text, map->v[i].key);
        buf_append_char(&v->text, '=');
        buf_append_span(&v->text, map->v[i].value);
    }
    buf_appendf(&v->text, "}' at '%s' failed to satisfy constraint: ", path);
}

void param_check_map(struct param_violations *v, const struct param *row, const char *path, const struct str_map *map)
{
    int64_t n = (int64_t)map->n;
    if (out_of(n, row->min, row->max)) {
        begin_map(v, path, map);
        append_length(&v->text, n > row->max, n > row->max ? row->max : row->min);
    }
    bool bad_key = false, bad_value = false;
    for (size_t i = 0; i < map->n; i++) {
        bad_key |= out_of(java_length(map->v[i].key), row->item_min, row->item_max);
        bad_value |= out_of(java_length(map->v[i].value), row->value_min, row->value_max);
    }
    if (bad_key) {
        begin_map(v, path, map);
        buf_append_str(&v->text, "Map keys must satisfy constraint: ");
        append_bounds(&v->text, row->item_min, row->item_max);
    }
    if (bad_value) {
        begin_map(v, path, map);
        buf_append_str(&v->text, "Map value must satisfy constraint: ");
        append_bounds(&v->text, row->value_min, row->value_max);
    }
}
