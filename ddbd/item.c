// Items and keys against DynamoDB's limits and a table's key schema. Called by the item operations. The sentences are
// the service's own, down to the missing space before 2048.
#include "ddbd/item.h"

#define INVALID "One or more parameter values were invalid: "

static enum attr_result invalid(struct buf *why, const char *text)
{
    buf_append_str(why, text);
    return ATTR_INVALID;
}

enum attr_result item_check_size(struct span item, struct buf *why)
{
    if (attr_map_size(item) > ITEM_MAX_SIZE)
        return invalid(why, "Item size has exceeded the maximum allowed size");
    return ATTR_OK;
}

static enum attr_result check_length(const struct key_part *part, bool is_range, const struct attr_view *v,
                                     struct buf *why)
{
    if (part->type == ATTR_N)
        return ATTR_OK;
    if (v->bytes.n == 0) {
        buf_appendf(why,
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
                    "an empty %s value. Key: %s",
                    part->type == ATTR_S ? "string" : "binary", part->name);
        return ATTR_INVALID;
    }
    if (!is_range && v->bytes.n > KEY_HASH_MAX)
        return invalid(why, INVALID "Size of hashkey has exceeded the maximum size limit of2048 bytes");
    if (is_range && v->bytes.n > KEY_RANGE_MAX)
        return invalid(why, INVALID "Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
    return ATTR_OK;
}

static enum attr_result put_part(const struct key_part *part, bool is_range, struct span item, struct attr_view *v,
                                 struct buf *why)
{
    if (!attr_map_find(item, span_of(part->name), v)) {
        buf_appendf(why, INVALID "Missing the key %s in the item", part->name);
        return ATTR_INVALID;
    }
    if (v->type != part->type) {
        buf_appendf(why, INVALID "Type mismatch for key %s expected: %s actual: %s", part->name,
                    attr_type_name(part->type), attr_type_name(v->type));
        return ATTR_INVALID;
    }
    return check_length(part, is_range, v, why);
}

static enum attr_result encoded(bool ok)
{
    return ok ? ATTR_OK : ATTR_NO_MEMORY;
}

enum attr_result item_key(const struct key_schema *schema, struct span item, struct buf *key, struct buf *why)
{
    struct attr_view hash, range = {0};
    enum attr_result r = put_part(&schema->hash, false, item, &hash, why);
    if (r == ATTR_OK && schema->has_range)
        r = put_part(&schema->range, true, item, &range, why);
    return r == ATTR_OK ? encoded(key_encode(schema, &hash, &range, key)) : r;
}

static bool lookup_part(const struct key_part *part, struct span encoded_key, struct attr_view *v)
{
    return attr_map_find(encoded_key, span_of(part->name), v) && v->type == part->type;
}

enum attr_result item_lookup_key(const struct key_schema *schema, struct span encoded_key, struct buf *key,
                                 struct buf *why)
{
    struct attr_view hash, range = {0};
    size_t wanted = schema->has_range ? 2 : 1;
    if (attr_cursor_map(encoded_key).left != wanted || !lookup_part(&schema->hash, encoded_key, &hash) ||
        (schema->has_range && !lookup_part(&schema->range, encoded_key, &range)))
        return invalid(why, "The provided key element does not match the schema");
    enum attr_result r = check_length(&schema->hash, false, &hash, why);
    if (r == ATTR_OK && schema->has_range)
        r = check_length(&schema->range, true, &range, why);
    return r == ATTR_OK ? encoded(key_encode(schema, &hash, &range, key)) : r;
}
