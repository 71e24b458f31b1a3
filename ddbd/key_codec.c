// Primary keys as bytes and back. Called by item.c (writes) and, later, by Query and Scan. Knows nothing of messages.
#include "ddbd/key_codec.h"

#include "ddbd/number.h"

// A partition key of text or binary is preceded by its length, so that no partition's bytes begin another's; a number
// delimits itself. The sort key comes last and needs neither.
bool key_encode_partition(const struct key_schema *schema, const struct attr_view *hash, struct buf *key)
{
    if (schema->hash.type != ATTR_N) {
        buf_append_char(key, (char)(hash->bytes.n >> 8));
        buf_append_char(key, (char)hash->bytes.n);
    }
    return buf_append_span(key, hash->bytes);
}

bool key_encode(const struct key_schema *schema, const struct attr_view *hash, const struct attr_view *range,
                struct buf *key)
{
    return key_encode_partition(schema, hash, key) && (!schema->has_range || buf_append_span(key, range->bytes));
}

static bool take(struct span *s, size_t n, struct span *out)
{
    if (n > s->n)
        return false;
    *out = (struct span){s->p, n};
    s->p += n;
    s->n -= n;
    return true;
}

static bool take_number(struct span *s, struct span *out)
{
    struct number n;
    size_t used;
    return number_decode(*s, &n, &used) && take(s, used, out);
}

bool key_decode(const struct key_schema *schema, struct span key, struct attr_view *hash, struct attr_view *range)
{
    *hash = (struct attr_view){.type = schema->hash.type};
    *range = (struct attr_view){.type = schema->range.type};
    struct span length = {0};
    if (schema->hash.type == ATTR_N) {
        if (!take_number(&key, &hash->bytes))
            return false;
    } else if (!take(&key, 2, &length) ||
               !take(&key, (size_t)(unsigned char)length.p[0] << 8 | (unsigned char)length.p[1], &hash->bytes)) {
        return false;
    }
    if (schema->has_range && schema->range.type == ATTR_N && !take_number(&key, &range->bytes))
        return false;
    if (schema->has_range && schema->range.type != ATTR_N)
        return take(&key, key.n, &range->bytes);
    return key.n == 0;
}
