// requestParameters of a trail record: the request's members as they were sent, by the operation's rows, with the first
// letter lower-cased and the hidden ones left out. Called through common/rpc/call_trail.c.
#include <string.h>

#include "common/base/json_read.h"
#include "common/base/time_format.h"
#include "common/rpc/param.h"

static void write_key(struct json_write *w, const char *name)
{
    char key[64];
    size_t n = strlen(name);
    if (n >= sizeof key)
        n = sizeof key - 1;
    memcpy(key, name, n);
    key[n] = '\0';
    if (key[0] >= 'A' && key[0] <= 'Z')
        key[0] = (char)(key[0] - 'A' + 'a');
    json_key(w, key);
}

static void write_object(struct json_write *w, const struct param *rows, const json_t *object);

static void write_one(struct json_write *w, const struct param *row, const json_t *value)
{
    if (row->type == PARAM_OBJECT && json_is_object(value)) {
        write_object(w, row->members, value);
    } else if (row->type == PARAM_OBJECTS && json_is_array(value)) {
        json_arr_begin(w);
        for (size_t i = 0; i < json_array_size(value); i++)
            write_object(w, row->members, json_array_get(value, i));
        json_arr_end(w);
    } else if (row->type == PARAM_TIME && json_is_number(value)) {
        char text[TIME_JAVA_SIZE];
        time_java(time_of_seconds(json_number_value(value)), text);
        json_cstr(w, text);
    } else {
        json_value(w, value);
    }
}

static bool shown(const struct param *row, const json_t *object, const json_t **value)
{
    if (row->trail == PARAM_HIDDEN)
        return false;
    *value = json_object_get(object, row->name);
    if (*value && json_is_null(*value))
        *value = NULL;
    return *value || row->trail_default;
}

static void write_object(struct json_write *w, const struct param *rows, const json_t *object)
{
    json_obj_begin(w);
    for (const struct param *row = rows; row->name; row++) {
        const json_t *value = NULL;
        if (!shown(row, object, &value))
            continue;
        write_key(w, row->name);
        if (value)
            write_one(w, row, value);
        else if (row->type == PARAM_BOOL)
            json_raw(w, span_of(row->trail_default));
        else
            json_cstr(w, row->trail_default);
    }
    json_obj_end(w);
}

void param_write_trail(struct json_write *w, const struct param *rows, const json_t *object)
{
    for (const struct param *row = rows; row && row->name; row++) {
        const json_t *value = NULL;
        if (shown(row, object, &value)) {
            write_object(w, rows, object);
            return;
        }
    }
    json_none(w);
}
