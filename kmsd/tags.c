// Tags in requests. Where they are kept: key.c.
#include "kmsd/tags.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/limits.h"

const struct param tag_rows[] = {
    {.name = "TagKey",
     .type = PARAM_STRING,
     .offset = offsetof(struct tag_param, key),
     .required = true,
     .min = 1,
     .max = 128},
    {.name = "TagValue",
     .type = PARAM_STRING,
     .offset = offsetof(struct tag_param, value),
     .required = true,
     .max = 256},
    {NULL},
};

static bool doubled(const struct tag_param *tags, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (span_eq(tags[i].key, tags[j].key))
            return true;
    return false;
}

// Letters, digits, spaces and some signs (API reference, Tag). Beyond ASCII all count as letters.
static bool has_only_valid_characters(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80);
        if (!letter && (c == '\0' || !strchr(" _.:/=+-@", c)))
            return false;
    }
    return true;
}

const struct fault *tags_check(struct call *call, const struct key *key, const struct obj_list *tags)
{
    const struct tag_param *v = tags->v;
    size_t total = key ? key->tags_n : 0;
    for (size_t i = 0; i < tags->n; i++) {
        if (span_starts(v[i].key, "aws:"))
            return call_fault(call, &fault_tag, "Tags beginning with aws: are reserved");
        if (!has_only_valid_characters(v[i].key) || !has_only_valid_characters(v[i].value))
            return call_fault(call, &fault_tag, "Invalid tag");
        // More than this many are refused below without looking at each pair.
        if (tags->n <= KMS_TAGS_MAX && doubled(v, i))
            return call_fault(call, &fault_tag, "Duplicate tag keys");
        total += !key || !key_tag(key, v[i].key);
    }
    return total > KMS_TAGS_MAX ? call_fault(call, &fault_tag, "Too many tags") : NULL;
}

void tags_apply(struct key *key, const struct obj_list *tags)
{
    const struct tag_param *v = tags->v;
    for (size_t i = 0; i < tags->n; i++)
        key_set_tag(key, v[i].key, v[i].value);
}

void tags_write(const struct key *key, bool trail, struct json_write *w)
{
    json_arr_begin(w);
    for (size_t i = 0; i < key->tags_n; i++) {
        json_obj_begin(w);
        json_kcstr(w, trail ? "tagKey" : "TagKey", key->tags[i].key);
        json_kcstr(w, trail ? "tagValue" : "TagValue", key->tags[i].value);
        json_obj_end(w);
    }
    json_arr_end(w);
}
