// Reads a request's members by the operation's table, for dispatch. The sentences are param_check.c's, what the trail
// shows is param_trail.c's.
#include "common/rpc/param.h"

#include <string.h>

#include "common/base/encode.h"
#include "common/base/json_read.h"
#include "common/base/time_format.h"
#include "common/rpc/param_check.h"

// Nested structures are at most this deep in any API that is served here.
#define DEPTH_MAX 8
#define PATH_MAX_BYTES 256

struct reading {
    struct param_context *context;
    struct param_violations violations;
};

static const struct fault *read_members(struct reading *r, const struct param *rows, const json_t *object,
                                        const char *prefix, int depth, char *to);

// "KeyId" below "tags.1.member." -> "tags.1.member.keyId"
static void member_path(char out[PATH_MAX_BYTES], const char *prefix, const char *name)
{
    size_t n = strlen(prefix);
    size_t m = strlen(name);
    if (n + m >= PATH_MAX_BYTES) {
        n = 0;
        m = m < PATH_MAX_BYTES ? m : PATH_MAX_BYTES - 1;
    }
    memcpy(out, prefix, n);
    memcpy(out + n, name, m);
    if (out[n] >= 'A' && out[n] <= 'Z')
        out[n] = (char)(out[n] - 'A' + 'a');
    out[n + m] = '\0';
}

static const struct fault *wrong_type(struct reading *r, const json_t *value, const char *wanted)
{
    struct param_context *c = r->context;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        c->detail = "Start of structure or map found where not expected.";
        break;
    case JSON_ARRAY:
        c->detail = "Start of list found where not expected";
        break;
    case JSON_STRING:
        c->detail = arena_printf(c->arena, "STRING_VALUE can not be converted to %s", wanted);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        c->detail = arena_printf(c->arena, "NUMBER_VALUE can not be converted to %s", wanted);
        break;
    default:
        c->detail = arena_printf(c->arena, "%s_VALUE can not be converted to %s",
                                 json_is_true(value) ? "TRUE" : "FALSE", wanted);
    }
    return c->serialization;
}

// No text of these APIs may hold U+0000, and much of what is done with texts would end there.
static const struct fault *read_text(struct reading *r, const json_t *value, struct span *to)
{
    if (!json_is_string(value))
        return wrong_type(r, value, "String");
    *to = json_span(value);
    if (!memchr(to->p, '\0', to->n))
        return NULL;
    r->context->detail = "U+0000 found where not expected";
    return r->context->serialization;
}

static const struct fault *read_blob(struct reading *r, const struct param *row, const json_t *value, const char *path,
                                     struct span *to)
{
    if (!json_is_string(value))
        return wrong_type(r, value, "Blob");
    struct span text = json_span(value);
    size_t n = 0;
    unsigned char *bytes = r->context->wiped_alloc(r->context->arg, base64_decoded_max(text.n));
    if (!base64_decode(text, bytes, &n)) {
        r->context->detail = NULL;
        return r->context->serialization;
    }
    *to = (struct span){(const char *)bytes, n};
    param_check_blob(&r->violations, row, path, n);
    return NULL;
}

static const struct fault *read_integer(struct reading *r, const struct param *row, const json_t *value,
                                        const char *path, struct opt_int *to)
{
    if (!json_is_number(value))
        return wrong_type(r, value, "Integer");
    double real = json_number_value(value);
    // A number with a fraction is cut, as AWS's servers do; one that no integer holds is refused.
    if (real < -9e18 || real > 9e18)
        return wrong_type(r, value, "Integer");
    to->set = true;
    to->v = json_is_integer(value) ? json_integer_value(value) : (int64_t)real;
    param_check_integer(&r->violations, row, path, to->v);
    return NULL;
}

static const struct fault *read_time(struct reading *r, const json_t *value, struct opt_time *to)
{
    if (!json_is_number(value))
        return wrong_type(r, value, "milliseconds since epoch");
    *to = (struct opt_time){true, time_of_seconds(json_number_value(value))};
    return NULL;
}

static const struct fault *read_strings(struct reading *r, const struct param *row, const json_t *value,
                                        const char *path, struct span_list *to)
{
    if (!json_is_array(value))
        return wrong_type(r, value, "List");
    to->set = true;
    to->v = arena_alloc(r->context->arena, json_array_size(value) * sizeof *to->v);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct fault *fault = read_text(r, json_array_get(value, i), &to->v[to->n++]);
        if (fault)
            return fault;
    }
    param_check_strings(&r->violations, row, path, to);
    return NULL;
}

static const struct fault *read_map(struct reading *r, const struct param *row, const json_t *value, const char *path,
                                    struct str_map *to)
{
    if (!json_is_object(value))
        return wrong_type(r, value, "Map");
    to->set = true;
    to->v = arena_alloc(r->context->arena, json_object_size(value) * sizeof *to->v);
    for (void *it = json_object_iter((json_t *)value); it; it = json_object_iter_next((json_t *)value, it)) {
        const json_t *item = json_object_iter_value(it);
        if (!json_is_string(item))
            return wrong_type(r, item, "String");
        const char *key = json_object_iter_key(it);
        to->v[to->n++] = (struct str_pair){span_of(key), json_span(item)};
    }
    param_check_map(&r->violations, row, path, to);
    return NULL;
}

static const struct fault *read_object(struct reading *r, const struct param *row, const json_t *value,
                                       const char *path, int depth, char *to)
{
    if (!json_is_object(value))
        return wrong_type(r, value, "Structure");
    char prefix[PATH_MAX_BYTES + 1];
    size_t n = strlen(path);
    memcpy(prefix, path, n);
    memcpy(prefix + n, ".", 2);
    return read_members(r, row->members, value, prefix, depth + 1, to);
}

static const struct fault *read_objects(struct reading *r, const struct param *row, const json_t *value,
                                        const char *path, int depth, struct obj_list *to)
{
    if (!json_is_array(value))
        return wrong_type(r, value, "List");
    to->set = true;
    to->n = json_array_size(value);
    to->v = arena_alloc(r->context->arena, to->n * row->members_size);
    param_check_objects(&r->violations, row, path, value);
    for (size_t i = 0; i < to->n; i++) {
        char item_path[PATH_MAX_BYTES];
        if ((size_t)snprintf(item_path, sizeof item_path, "%s.%zu.member", path, i + 1) >= sizeof item_path - 1)
            return r->context->serialization;
        const json_t *item = json_array_get(value, i);
        if (json_is_null(item)) {
            param_violation_null(&r->violations, item_path, false);
            continue;
        }
        const struct fault *fault = read_object(r, row, item, item_path, depth, (char *)to->v + i * row->members_size);
        if (fault)
            return fault;
    }
    return NULL;
}

static const struct fault *read_value(struct reading *r, const struct param *row, const json_t *value, const char *path,
                                      int depth, char *to)
{
    void *at = to + row->offset;
    const struct fault *fault;
    switch (row->type) {
    case PARAM_STRING:
        fault = read_text(r, value, at);
        if (!fault)
            param_check_string(&r->violations, row, path, *(struct span *)at);
        return fault;
    case PARAM_BLOB:
        return read_blob(r, row, value, path, at);
    case PARAM_INTEGER:
        return read_integer(r, row, value, path, at);
    case PARAM_BOOL:
        if (!json_is_boolean(value))
            return wrong_type(r, value, "Boolean");
        *(struct opt_bool *)at = (struct opt_bool){true, json_is_true(value)};
        return NULL;
    case PARAM_TIME:
        return read_time(r, value, at);
    case PARAM_STRINGS:
        return read_strings(r, row, value, path, at);
    case PARAM_MAP:
        return read_map(r, row, value, path, at);
    case PARAM_OBJECT:
        if (row->set_offset)
            *(bool *)(to + row->set_offset) = true;
        return read_object(r, row, value, path, depth, at);
    case PARAM_OBJECTS:
        return read_objects(r, row, value, path, depth, at);
    case PARAM_JSON:
        *(const json_t **)at = value;
        return NULL;
    }
    return r->context->serialization;
}

static const struct fault *read_members(struct reading *r, const struct param *rows, const json_t *object,
                                        const char *prefix, int depth, char *to)
{
    if (depth > DEPTH_MAX)
        return r->context->serialization;
    for (const struct param *row = rows; row->name; row++) {
        char path[PATH_MAX_BYTES];
        member_path(path, prefix, row->name);
        const json_t *value = json_object_get(object, row->name);
        if (value && !json_is_null(value)) {
            const struct fault *fault = read_value(r, row, value, path, depth, to);
            if (fault)
                return fault;
        } else if (row->required) {
            param_violation_null(&r->violations, path, row->sensitive);
        }
    }
    return NULL;
}

static const char *refused_alone(struct param_context *c, const struct param *rows, const json_t *object)
{
    const char *sentence = NULL;
    for (; rows->name && !sentence; rows++)
        if (rows->alone)
            sentence = rows->alone(json_object_get(object, rows->name), c->arena);
    return sentence;
}

const struct fault *param_read(struct param_context *c, const struct param *rows, const json_t *object, void *params)
{
    struct reading r = {.context = c};
    c->trail_detail = NULL;
    c->detail = refused_alone(c, rows, object);
    if (c->detail)
        return c->validation;
    param_violations_init(&r.violations);
    const struct fault *fault = read_members(&r, rows, object, "", 0, params);
    const char *sentence = param_violations_take(&r.violations, c->arena, &c->trail_detail);
    if (fault || !sentence)
        return fault;
    c->detail = sentence;
    return c->validation;
}
