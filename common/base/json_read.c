// Jansson, with an allocator that wipes what it frees, and with reasons that never quote the text: request bodies hold
// plaintext. Jansson bounds nesting itself (2048 levels). What the values mean is the caller's.
#include "common/base/json_read.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"

// explicit_bzero(), here and for other buffers that every request wipes: OPENSSL_cleanse() goes word by word.
static void wiping_free(void *p)
{
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

void json_read_setup(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

// Jansson's own text quotes what it stumbled over.
static const char *reason(enum json_error_code code)
{
    switch (code) {
    case json_error_out_of_memory:
        return "out of memory";
    case json_error_stack_overflow:
        return "nested too deeply";
    case json_error_invalid_utf8:
        return "invalid UTF-8";
    case json_error_premature_end_of_input:
        return "unexpected end";
    case json_error_end_of_input_expected:
        return "text after the value";
    case json_error_duplicate_key:
        return "a member is given twice";
    case json_error_null_byte_in_key:
        return "a key holds U+0000";
    case json_error_numeric_overflow:
        return "a number is out of range";
    default:
        return "syntax error";
    }
}

static json_t *load(struct span text, size_t flags, char *why, size_t why_size)
{
    json_error_t e;
    json_t *value = json_loadb(text.p ? text.p : "", text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL | flags, &e);
    if (!value && why)
        snprintf(why, why_size, "%s at line %d, column %d", reason(json_error_code(&e)), e.line, e.column);
    return value;
}

json_t *json_read(struct span text, char *why, size_t why_size)
{
    return load(text, 0, why, why_size);
}

json_t *json_read_unique(struct span text, char *why, size_t why_size)
{
    return load(text, JSON_REJECT_DUPLICATES, why, why_size);
}

json_t *json_read_file(const char *path, size_t max, char *why, size_t why_size)
{
    char reason_text[96];
    struct buf b;
    json_t *value = NULL;
    buf_init(&b, max);
    if (!file_read(path, &b))
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
    else if (!(value = json_read_unique(buf_span(&b), reason_text, sizeof reason_text)))
        snprintf(why, why_size, "%s: %s", path, reason_text);
    buf_wipe(&b);
    return value;
}

struct span json_span(const json_t *string)
{
    return (struct span){json_string_value(string), json_string_length(string)};
}
