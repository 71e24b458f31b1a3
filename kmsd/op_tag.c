// Tags: TagResource UntagResource ListResourceTags.
#include "kmsd/op_tag.h"

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"
#include "kmsd/resolve.h"
#include "kmsd/tags.h"

const struct param tag_resource_rows[] = {
    ROW_KEY_ID,
    {.name = "Tags",
     .type = PARAM_OBJECTS,
     .offset = PARAM_AT(tag_params, tags),
     .required = true,
     .members = tag_rows,
     .members_size = sizeof(struct tag_param)},
    {NULL},
};
const struct param untag_resource_rows[] = {
    ROW_KEY_ID,
    {.name = "TagKeys",
     .type = PARAM_STRINGS,
     .offset = PARAM_AT(tag_params, names),
     .required = true,
     .item_min = 1,
     .item_max = 128},
    {NULL},
};
const struct param list_resource_tags_rows[] = {ROW_KEY_ID, ROW_LIMIT(KMS_LIST_MAX), ROW_MARKER, {NULL}};

const struct fault *tag_resource(struct call *call)
{
    const struct tag_params *p = call->params;
    const struct fault *fault = tags_check(call, call->subject, &p->tags);
    if (fault)
        return fault;
    tags_apply(call->subject, &p->tags);
    keyring_save_key(kmsd_of(call)->keyring, call->subject);
    call->needs_commit = true;
    return NULL;
}

const struct fault *untag_resource(struct call *call)
{
    const struct tag_params *p = call->params;
    for (size_t i = 0; i < p->names.n; i++)
        if (span_starts(p->names.v[i], "aws:"))
            return call_fault(call, &fault_tag, "Tags beginning with aws: are reserved");
    for (size_t i = 0; i < p->names.n; i++)
        key_remove_tag(call->subject, p->names.v[i]);
    keyring_save_key(kmsd_of(call)->keyring, call->subject);
    call->needs_commit = true;
    return NULL;
}

const struct fault *list_resource_tags(struct call *call)
{
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct list_page page;
    const struct fault *fault = list_begin(call, key->arn, KMS_TAGS_MAX, KMS_TAGS_MAX, &page);
    if (fault)
        return fault;
    size_t at = page.after.p ? key_tag_after(key, page.after) : 0, end = at;
    json_obj_begin(w);
    json_key(w, "Tags");
    json_arr_begin(w);
    for (; end < key->tags_n && end - at < page.limit; end++) {
        json_obj_begin(w);
        json_kcstr(w, "TagKey", key->tags[end].key);
        json_kcstr(w, "TagValue", key->tags[end].value);
        json_obj_end(w);
    }
    json_arr_end(w);
    list_end(call, &page, end<key->tags_n, end> at ? span_of(key->tags[end - 1].key) : page.after);
    json_obj_end(w);
    return NULL;
}
