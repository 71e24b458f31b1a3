// Encoded attribute values read again: walked, found, checked, sized and written as the wire's JSON. Called by item,
// table and ops. Every reader bounds itself by the bytes it was given, whatever they are.
#include "ddbd/attr_value.h"

#include "ddbd/attr_internal.h"
#include "ddbd/number.h"

bool attr_read_varint(struct span *s, size_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (!s->n)
            return false;
        unsigned char byte = (unsigned char)*s->p++;
        s->n--;
        *v |= (size_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

bool attr_read_bytes(struct span *s, size_t n, struct span *out)
{
    if (n > s->n)
        return false;
    *out = (struct span){s->p, n};
    s->p += n;
    s->n -= n;
    return true;
}

bool attr_read_string(struct span *s, struct span *out)
{
    size_t n;
    return attr_read_varint(s, &n) && attr_read_bytes(s, n, out);
}

static bool read_box(struct span *s, struct attr_view *v)
{
    struct span head;
    if (!attr_read_bytes(s, 4, &head))
        return false;
    size_t n = 0;
    for (int i = 0; i < 4; i++)
        n |= (size_t)(unsigned char)head.p[i] << (8 * i);
    return attr_read_bytes(s, n, &v->bytes) && attr_read_varint(&v->bytes, &v->count);
}

bool attr_read_value(struct span *s, struct attr_view *v)
{
    struct span head;
    if (!attr_read_bytes(s, 1, &head))
        return false;
    unsigned char tag = (unsigned char)head.p[0];
    *v = (struct attr_view){.type = (enum attr_type)(tag & ~ATTR_TRUE), .truth = tag & ATTR_TRUE};
    if ((tag & ~ATTR_TRUE) >= ATTR_TYPES || (v->truth && v->type != ATTR_BOOL))
        return false;
    struct number n;
    size_t used;
    switch (v->type) {
    case ATTR_S:
    case ATTR_B:
        return attr_read_string(s, &v->bytes);
    case ATTR_N:
        return number_decode(*s, &n, &used) && attr_read_bytes(s, used, &v->bytes);
    case ATTR_NULL:
    case ATTR_BOOL:
        return true;
    default:
        return read_box(s, v);
    }
}

struct attr_cursor attr_cursor_map(struct span encoded_map)
{
    struct attr_cursor c = {.rest = encoded_map};
    c.damaged = !attr_read_varint(&c.rest, &c.left);
    return c;
}

bool attr_cursor_next(struct attr_cursor *c, struct span *name, struct attr_view *value)
{
    if (c->damaged || !c->left) {
        c->damaged |= c->rest.n != 0;
        return false;
    }
    c->left--;
    c->damaged = !attr_read_string(&c->rest, name) || !attr_read_value(&c->rest, value);
    return !c->damaged;
}

bool attr_map_find(struct span encoded_map, struct span name, struct attr_view *value)
{
    struct attr_cursor c = attr_cursor_map(encoded_map);
    struct span key;
    while (attr_cursor_next(&c, &key, value))
        if (span_eq(key, name))
            return true;
    return false;
}

// A view of the entries of an M as cursor.
static struct attr_cursor cursor_of(const struct attr_view *map)
{
    return (struct attr_cursor){.rest = map->bytes, .left = map->count};
}

// One element of a set or list as a value of its own. False at the end of well-formed elements and on damage; *damaged
// tells which.
static bool next_element(struct attr_view *set, struct attr_view *element, bool *damaged)
{
    static const enum attr_type member[ATTR_TYPES] = {[ATTR_SS] = ATTR_S, [ATTR_NS] = ATTR_N, [ATTR_BS] = ATTR_B};
    if (!set->count) {
        *damaged = set->bytes.n != 0;
        return false;
    }
    set->count--;
    struct number n;
    size_t used;
    bool ok;
    *element = (struct attr_view){.type = member[set->type]};
    if (set->type == ATTR_L)
        ok = attr_read_value(&set->bytes, element);
    else if (set->type == ATTR_NS)
        ok = number_decode(set->bytes, &n, &used) && attr_read_bytes(&set->bytes, used, &element->bytes);
    else
        ok = attr_read_string(&set->bytes, &element->bytes);
    *damaged = !ok;
    return ok;
}

static bool is_document(enum attr_type type)
{
    return type == ATTR_M || type == ATTR_L;
}

static bool is_set(enum attr_type type)
{
    return type == ATTR_SS || type == ATTR_NS || type == ATTR_BS;
}

// Sizes. Documents cost three bytes and one for each entry (developer guide, "DynamoDB item sizes and formats").

static bool value_size(const struct attr_view *v, unsigned depth, size_t *size);

static bool entries_size(struct attr_cursor c, unsigned depth, size_t *size)
{
    struct span name;
    struct attr_view v;
    while (attr_cursor_next(&c, &name, &v)) {
        *size += name.n;
        if (!value_size(&v, depth, size))
            return false;
    }
    return !c.damaged;
}

static bool elements_size(struct attr_view set, unsigned depth, size_t *size)
{
    struct attr_view element;
    bool damaged;
    while (next_element(&set, &element, &damaged))
        if (!value_size(&element, depth, size))
            return false;
    return !damaged;
}

static bool value_size(const struct attr_view *v, unsigned depth, size_t *size)
{
    struct number n;
    size_t used;
    switch (v->type) {
    case ATTR_S:
    case ATTR_B:
        *size += v->bytes.n;
        return true;
    case ATTR_N:
        *size += number_decode(v->bytes, &n, &used) ? number_size(&n) : 0;
        return true;
    case ATTR_NULL:
    case ATTR_BOOL:
        *size += 1;
        return true;
    default:
        break;
    }
    if (depth > ATTR_MAX_DEPTH)
        return false;
    if (is_document(v->type))
        *size += 3 + v->count;
    return v->type == ATTR_M ? entries_size(cursor_of(v), depth + 1, size) : elements_size(*v, depth + 1, size);
}

size_t attr_map_size(struct span encoded_map)
{
    size_t size = 0;
    return entries_size(attr_cursor_map(encoded_map), 1, &size) ? size : 0;
}

bool attr_map_valid(struct span encoded_map)
{
    size_t size = 0;
    return entries_size(attr_cursor_map(encoded_map), 1, &size);
}

// The wire.

static bool write_value(const struct attr_view *v, unsigned depth, struct json_write *w);

static bool write_map(struct attr_cursor c, unsigned depth, struct json_write *w)
{
    struct span name;
    struct attr_view v;
    json_obj_begin(w);
    while (attr_cursor_next(&c, &name, &v)) {
        json_key_span(w, name);
        if (!write_value(&v, depth, w))
            return false;
    }
    json_obj_end(w);
    return !c.damaged;
}

// What stands behind the type's name for a scalar.
static bool write_scalar(const struct attr_view *v, struct json_write *w)
{
    char text[NUMBER_TEXT_MAX];
    struct number n;
    size_t used;
    switch (v->type) {
    case ATTR_S:
        json_str(w, v->bytes);
        return true;
    case ATTR_B:
        json_base64(w, v->bytes);
        return true;
    case ATTR_N:
        if (!number_decode(v->bytes, &n, &used))
            return false;
        json_str(w, (struct span){text, number_format(&n, text)});
        return true;
    default:
        json_bool(w, v->type == ATTR_NULL || v->truth);
        return true;
    }
}

static bool write_elements(struct attr_view set, unsigned depth, struct json_write *w)
{
    struct attr_view element;
    bool damaged, scalars = is_set(set.type);
    json_arr_begin(w);
    while (next_element(&set, &element, &damaged))
        if (!(scalars ? write_scalar(&element, w) : write_value(&element, depth, w)))
            return false;
    json_arr_end(w);
    return !damaged;
}

static bool write_value(const struct attr_view *v, unsigned depth, struct json_write *w)
{
    if (depth > ATTR_MAX_DEPTH)
        return false;
    json_obj_begin(w);
    json_key(w, attr_type_name(v->type));
    bool ok = v->type == ATTR_M                      ? write_map(cursor_of(v), depth + 1, w)
              : v->type == ATTR_L || is_set(v->type) ? write_elements(*v, depth + 1, w)
                                                     : write_scalar(v, w);
    json_obj_end(w);
    return ok;
}

bool attr_map_write(struct span encoded_map, struct json_write *w)
{
    return write_map(attr_cursor_map(encoded_map), 1, w);
}

bool attr_view_write(const struct attr_view *v, struct json_write *w)
{
    return write_value(v, 1, w);
}
