// Constraint violations of a request, collected and joined as AWS joins them. Private to common/rpc.
#pragma once

#include "common/base/buf.h"
#include "common/rpc/param.h"

#define PARAM_MASKED_MAX 8

struct param_violations {
    struct buf text; // the sentences, joined by "; "
    size_t n;
    // Where they quote what the trail may not show.
    struct {
        size_t from, to;
    } masked[PARAM_MASKED_MAX];
    size_t masked_n;
};

void param_violations_init(struct param_violations *v);
// The whole sentence ("2 validation errors detected: …") in the arena; NULL when there was none. Frees the list.
// *for_trail: the sentence as the trail may have it; NULL: the same.
const char *param_violations_take(struct param_violations *v, struct arena *arena, const char **for_trail);

// path is the member's place in the request: "keyId", "tags.1.member.tagKey".
void param_violation_null(struct param_violations *v, const char *path, bool sensitive);
void param_check_string(struct param_violations *v, const struct param *row, const char *path, struct span value);
void param_check_blob(struct param_violations *v, const struct param *row, const char *path, size_t n);
void param_check_integer(struct param_violations *v, const struct param *row, const char *path, int64_t value);
void param_check_strings(struct param_violations *v, const struct param *row, const char *path,
                         const struct span_list *list);
void param_check_map(struct param_violations *v, const struct param *row, const char *path, const struct str_map *map);
void param_check_count(struct param_violations *v, const struct param *row, const char *path, size_t n);
void param_check_objects(struct param_violations *v, const struct param *row, const char *path, const json_t *list);
