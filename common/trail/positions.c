// Positions in the journal: the small table, and its JSON. Used by the deliverer's and the shipper's state files.
#include "common/trail/positions.h"

#include <stdlib.h>
#include <string.h>

void journal_positions_done(struct journal_positions *p)
{
    free(p->v);
    *p = (struct journal_positions){0};
}

const struct journal_position *journal_positions_find(const struct journal_positions *p, const char *writer)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->v[i].writer, writer) == 0)
            return &p->v[i];
    return NULL;
}

bool journal_positions_set(struct journal_positions *p, const struct journal_position *at)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->v[i].writer, at->writer) == 0) {
            p->v[i] = *at;
            return true;
        }
    }
    struct journal_position *v = realloc(p->v, (p->n + 1) * sizeof *v);
    if (!v)
        return false;
    v[p->n++] = *at;
    p->v = v;
    return true;
}

void journal_positions_write(struct json_write *w, const struct journal_positions *p)
{
    json_arr_begin(w);
    for (size_t i = 0; i < p->n; i++) {
        json_arr_begin(w);
        json_cstr(w, p->v[i].writer);
        json_i64(w, (int64_t)p->v[i].segment);
        json_i64(w, (int64_t)p->v[i].offset);
        json_arr_end(w);
    }
    json_arr_end(w);
}

bool journal_number_read(uint64_t *n, const json_t *value)
{
    json_int_t v = json_integer_value(value);
    *n = (uint64_t)v;
    return json_is_integer(value) && v >= 0;
}

bool journal_position_read(struct journal_position *at, const json_t *row)
{
    const json_t *name = json_array_get(row, 0);
    size_t n = json_string_length(name);
    *at = (struct journal_position){0};
    if (n == 0 || n >= sizeof at->writer)
        return false;
    memcpy(at->writer, json_string_value(name), n);
    return journal_number_read(&at->segment, json_array_get(row, 1)) &&
           journal_number_read(&at->offset, json_array_get(row, 2));
}

bool journal_positions_read(struct journal_positions *p, const json_t *array)
{
    struct journal_position at;
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!journal_position_read(&at, json_array_get(array, i)) || !journal_positions_set(p, &at))
            return false;
    return json_is_array(array);
}
