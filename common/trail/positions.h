// How far a consumer of the journal has come, and its text form in state files. Private to common/trail.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/json_write.h"
#include "common/trail/journal_format.h"

// Everything of this writer before (segment, offset) is done.
struct journal_position {
    char writer[JOURNAL_WRITER_SIZE];
    uint64_t segment;
    uint64_t offset;
};
struct journal_positions {
    struct journal_position *v;
    size_t n;
};

void journal_positions_done(struct journal_positions *p);
// Moves a writer's position on. False: out of memory.
bool journal_positions_set(struct journal_positions *p, const struct journal_position *at);
const struct journal_position *journal_positions_find(const struct journal_positions *p, const char *writer);

// [["w0",1048577,64],…]
void journal_positions_write(struct json_write *w, const struct journal_positions *p);
bool journal_positions_read(struct journal_positions *p, const json_t *array);
// One such row's first members; rest of the row is the caller's.
bool journal_position_read(struct journal_position *at, const json_t *row);
// A number that is not negative; false for anything else.
bool journal_number_read(uint64_t *n, const json_t *value);
