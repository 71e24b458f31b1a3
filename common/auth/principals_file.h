// Reads principals.json; for credentials.c.
#pragma once

#include <stdint.h>

#include "common/auth/principal_internal.h"

struct principal_list {
    struct principal_owned **v;
    size_t n;
};

// Appends every access key of the file as a principal. False with a reason that names file and member path; the list
// then holds what was read so far and must still be released.
bool principals_read(const char *path, int64_t started_ns, struct principal_list *list, char *why, size_t why_size);
// The same from JSON text; name stands for the file in reasons.
bool principals_parse(struct span text, const char *name, int64_t started_ns, struct principal_list *list, char *why,
                      size_t why_size);
void principal_list_add(struct principal_list *list, struct principal_owned *o);
void principal_list_done(struct principal_list *list);
