// From the nodes of a seed file to what the operations' tables of parameters read, one member at a time, so that the
// sentence of whatever is wrong can be given its place in the file.
#include <stdio.h>
#include <stdlib.h>

#include "kmsd/faults.h"
#include "kmsd/limits.h"
#include "kmsd/seed_internal.h"

__attribute__((format(printf, 4, 0))) static void vbad(struct seed_reader *r, int line, const char *path,
                                                       const char *format, va_list args)
{
    char text[768];
    vsnprintf(text, sizeof text, format, args);
    snprintf(r->why, r->why_size, "%s:%d: %s%s%s", r->file, line, path, *path ? ": " : "", text);
}

bool seed_bad(struct seed_reader *r, int line, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vbad(r, line, path, format, args);
    va_end(args);
    return false;
}

static void join(char out[SEED_PATH_SIZE], const char *path, const char *name)
{
    snprintf(out, SEED_PATH_SIZE, "%.*s%s%.48s", SEED_PATH_SIZE - 52, path, *path ? "." : "", name);
}

void seed_item_path(char out[SEED_PATH_SIZE], const char *path, size_t i)
{
    snprintf(out, SEED_PATH_SIZE, "%.*s[%zu]", SEED_PATH_SIZE - 24, path, i);
}

// The map that has the member, and its path: this one, or one in it; this one where none has.
static const struct doc *find_holder(const struct doc *map, const char *member, char path[SEED_PATH_SIZE])
{
    char inner[SEED_PATH_SIZE];
    for (size_t i = 0; i < map->n && !doc_member(map, member); i++) {
        if (!doc_member(map->items[i].value, member))
            continue;
        join(inner, path, map->items[i].name.p);
        memcpy(path, inner, sizeof inner);
        return map->items[i].value;
    }
    return map;
}

bool seed_bad_member(struct seed_reader *r, const struct doc *map, const char *path, const char *member,
                     const char *format, ...)
{
    char inner[SEED_PATH_SIZE], whole[SEED_PATH_SIZE];
    snprintf(inner, sizeof inner, "%s", path);
    const struct doc *holder = find_holder(map, member, inner);
    join(whole, inner, member);
    va_list args;
    va_start(args, format);
    vbad(r, doc_member_line(holder, member), whole, format, args);
    va_end(args);
    return false;
}

bool seed_bad_item(struct seed_reader *r, const struct doc *map, const char *path, const char *member, size_t i,
                   const char *format, ...)
{
    char inner[SEED_PATH_SIZE], list[SEED_PATH_SIZE], whole[SEED_PATH_SIZE];
    snprintf(inner, sizeof inner, "%s", path);
    const struct doc *holder = find_holder(map, member, inner), *value = doc_member(holder, member);
    join(list, inner, member);
    memcpy(whole, list, sizeof list);
    int line = doc_member_line(holder, member);
    if (value && value->kind == DOC_LIST && i < value->n) {
        seed_item_path(whole, list, i);
        line = value->items[i].line;
    }
    va_list args;
    va_start(args, format);
    vbad(r, line, whole, format, args);
    va_end(args);
    return false;
}

// ---- nodes as JSON of a row's type; NULL with a reason ----

static json_t *bad_value(struct seed_reader *r, const struct doc *d, const char *path, const char *what)
{
    seed_bad(r, d->line, path, "must be %s", what);
    return NULL;
}

static json_t *as_text(struct seed_reader *r, const struct doc *d, const struct param *row, const char *path)
{
    if (d->kind == DOC_TEXT) {
        json_t *text = json_stringn(d->text.p, d->text.n);
        return text ? text : bad_value(r, d, path, "UTF-8");
    }
    if (strcmp(row->name, "Policy") != 0)
        return bad_value(r, d, path, "a text");
    struct buf b;
    buf_init(&b, 2 * KMS_POLICY_BYTES_MAX);
    doc_write_json(d, &b);
    json_t *text = buf_ok(&b) ? json_stringn(b.data, b.len) : bad_value(r, d, path, "smaller");
    buf_done(&b);
    return text;
}

static json_t *as_bool(struct seed_reader *r, const struct doc *d, const char *path)
{
    bool value;
    return doc_bool(d, &value) ? json_boolean(value) : bad_value(r, d, path, "true or false");
}

static json_t *as_integer(struct seed_reader *r, const struct doc *d, const char *path)
{
    char *end = NULL;
    long long value = d->kind == DOC_TEXT && d->text.n > 0 && d->text.n < 18 ? strtoll(d->text.p, &end, 10) : 0;
    return end && *end == '\0' ? json_integer(value) : bad_value(r, d, path, "a number");
}

// One text stands for a list of it.
static json_t *as_texts(struct seed_reader *r, const struct doc *d, const struct param *row, const char *path)
{
    char item_path[SEED_PATH_SIZE];
    json_t *list = json_array();
    if (d->kind == DOC_TEXT && json_array_append_new(list, as_text(r, d, row, path)) == 0)
        return list;
    for (size_t i = 0; d->kind == DOC_LIST && i < d->n; i++) {
        const struct doc *item = d->items[i].value;
        seed_item_path(item_path, path, i);
        json_t *text =
            item->kind == DOC_TEXT ? as_text(r, item, row, item_path) : bad_value(r, item, item_path, "a text");
        if (json_array_append_new(list, text) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    if (d->kind == DOC_LIST)
        return list;
    json_decref(list);
    return d->kind == DOC_MAP ? bad_value(r, d, path, "a list of texts") : NULL;
}

static json_t *as_text_map(struct seed_reader *r, const struct doc *d, const struct param *row, const char *path)
{
    char item_path[SEED_PATH_SIZE];
    if (d->kind != DOC_MAP)
        return bad_value(r, d, path, "a map of texts");
    json_t *map = json_object();
    for (size_t i = 0; i < d->n; i++) {
        const struct doc *item = d->items[i].value;
        join(item_path, path, d->items[i].name.p);
        json_t *text =
            item->kind == DOC_TEXT ? as_text(r, item, row, item_path) : bad_value(r, item, item_path, "a text");
        if (json_object_set_new(map, d->items[i].name.p, text) == 0)
            continue;
        if (text)
            bad_value(r, item, item_path, "named in UTF-8");
        json_decref(map);
        return NULL;
    }
    return map;
}

static json_t *as_value(struct seed_reader *r, const struct doc *d, const struct param *row, const char *path);

// Judged here, so that the error has its line; the outer structure reads it once more.
static json_t *as_object(struct seed_reader *r, const struct doc *d, const struct param *row, const char *path)
{
    char member_path[SEED_PATH_SIZE];
    void *scratch = arena_alloc(&r->call.arena, row->members_size + 1);
    if (!seed_map(r, d, row->members, scratch, path))
        return NULL;
    json_t *object = json_object();
    for (size_t i = 0; i < d->n; i++) {
        const struct param *member = row->members;
        while (!span_is(d->items[i].name, member->name))
            member++;
        join(member_path, path, member->name);
        if (!doc_is_null(d->items[i].value))
            json_object_set_new(object, member->name, as_value(r, d->items[i].value, member, member_path));
    }
    return object;
}

static json_t *as_objects(struct seed_reader *r, const struct doc *d, const struct param *row, const char *path)
{
    char item_path[SEED_PATH_SIZE];
    if (d->kind != DOC_LIST)
        return bad_value(r, d, path, "a list");
    json_t *list = json_array();
    for (size_t i = 0; i < d->n; i++) {
        seed_item_path(item_path, path, i);
        if (json_array_append_new(list, as_object(r, d->items[i].value, row, item_path)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *as_value(struct seed_reader *r, const struct doc *d, const struct param *row, const char *path)
{
    switch (row->type) {
    case PARAM_BOOL:
        return as_bool(r, d, path);
    case PARAM_INTEGER:
        return as_integer(r, d, path);
    case PARAM_STRINGS:
        return as_texts(r, d, row, path);
    case PARAM_MAP:
        return as_text_map(r, d, row, path);
    case PARAM_OBJECT:
        return as_object(r, d, row, path);
    case PARAM_OBJECTS:
        return as_objects(r, d, row, path);
    default:
        return as_text(r, d, row, path);
    }
}

// ---- members ----

static bool read_member(struct seed_reader *r, const struct doc_item *item, const struct param *row, void *params,
                        const char *path)
{
    struct param one[2] = {*row};
    one[0].required = false;
    if (doc_is_null(item->value))
        return true;
    json_t *object = json_object(), *value = as_value(r, item->value, row, path);
    json_array_append_new(r->values, object);
    if (json_object_set_new(object, row->name, value) != 0)
        return false;
    struct param_context context = {
        .arena = &r->call.arena, .validation = &fault_validation, .serialization = &fault_serialization};
    if (!param_read(&context, one, object, params))
        return true;
    return seed_bad(r, item->line, path, "%s", context.detail ? context.detail : "is not understood");
}

bool seed_map(struct seed_reader *r, const struct doc *map, const struct param *rows, void *params, const char *path)
{
    char member_path[SEED_PATH_SIZE];
    if (map->kind != DOC_MAP)
        return seed_bad(r, map->line, path, "must be a map");
    for (size_t i = 0; i < map->n; i++) {
        const struct param *row = rows;
        join(member_path, path, map->items[i].name.p);
        while (row->name && !span_is(map->items[i].name, row->name))
            row++;
        if (!row->name)
            return seed_bad(r, map->items[i].line, member_path, "unknown member");
        if (!read_member(r, &map->items[i], row, params, member_path))
            return false;
    }
    for (const struct param *row = rows; row->name; row++) {
        const struct doc *value = doc_member(map, row->name);
        join(member_path, path, row->name);
        if (row->required && (!value || doc_is_null(value)))
            return seed_bad(r, map->line, member_path, "is missing");
    }
    return true;
}
