// Tags: TagResource UntagResource ListResourceTags.
#include "kmsd/faults.h"
#include "kmsd/kmsd.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"
#include "kmsd/resolve.h"
#include "kmsd/tags.h"

struct tag_params {
    struct kms_params common;
    struct obj_list tags;   // of struct tag_param
    struct span_list names; // TagKeys
};

static const struct param tag_resource_rows[] = {
    ROW_KEY_ID,
    {.name = "Tags",
     .type = PARAM_OBJECTS,
     .offset = PARAM_AT(tag_params, tags),
     .required = true,
     .members = tag_rows,
     .members_size = sizeof(struct tag_param)},
    {NULL},
};
static const struct param untag_rows[] = {
    ROW_KEY_ID,
    {.name = "TagKeys",
     .type = PARAM_STRINGS,
     .offset = PARAM_AT(tag_params, names),
     .required = true,
     .item_min = 1,
     .item_max = 128},
    {NULL},
};
static const struct param list_rows[] = {ROW_KEY_ID, ROW_LIMIT(KMS_LIST_MAX), ROW_MARKER, {NULL}};

static const struct fault *tag_resource(struct call *call)
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

static const struct fault *untag_resource(struct call *call)
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

static const struct fault *list_resource_tags(struct call *call)
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

static const struct kms_op edit_ext = {.grant = GRANT_NONE, .rule = RULE_EDIT};
static const struct kms_op any_ext = {.grant = GRANT_NONE, .rule = RULE_ALWAYS};

const struct op op_tag_rows[] = {
    {.name = "TagResource",
     .action = "kms:TagResource",
     .params = tag_resource_rows,
     .params_size = sizeof(struct tag_params),
     .resolve = resolve_key,
     .invoke = tag_resource,
     .changes = true,
     .trail_response = trail_key_arn,
     .ext = &edit_ext},
    {.name = "UntagResource",
     .action = "kms:UntagResource",
     .params = untag_rows,
     .params_size = sizeof(struct tag_params),
     .resolve = resolve_key,
     .invoke = untag_resource,
     .changes = true,
     .trail_response = trail_key_arn,
     .ext = &edit_ext},
    {.name = "ListResourceTags",
     .action = "kms:ListResourceTags",
     .params = list_rows,
     .params_size = sizeof(struct list_params),
     .resolve = resolve_key,
     .invoke = list_resource_tags,
     .read_only = true,
     .ext = &any_ext},
    {NULL},
};
