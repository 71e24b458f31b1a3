// What conf.c (reading) and conf_print.c (help and sample) share; nobody else includes it.
#pragma once

#include "common/base/conf.h"

// Where a value came from; a later one beats an earlier one.
enum conf_source { CONF_FROM_DEFAULT, CONF_FROM_FILE, CONF_FROM_FLAG };

struct conf_value {
    enum conf_source source;
    char **items; // texts; all kinds but CONF_LIST have at most one
    size_t n;
    int64_t integer; // CONF_INTEGER, CONF_DURATION (nanoseconds)
    double number;   // CONF_NUMBER
};

struct conf {
    const char *program, *summary;
    const struct conf_option *rows;
    size_t n_rows;
    struct conf_value *values; // one a row
    const char *action;
};

// A bound as people would write it ("64", "5m").
void conf_bound_text(const struct conf_option *row, int64_t bound, char *out, size_t size);
static inline bool conf_bounded(const struct conf_option *row)
{
    return row->min != 0 || row->max != 0;
}
