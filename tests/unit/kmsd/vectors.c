// Reads known answers. A file that is not as it should be ends the test program.
#include "tests/unit/kmsd/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"

json_t *vectors_groups(const char *name, json_t **file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/vectors/%s.json", TEST_DATA_DIR, name);
    *file = json_load_file(path, 0, NULL);
    json_t *groups = json_object_get(*file, "groups");
    assert_true(json_array_size(groups) > 0);
    return groups;
}

const char *vectors_text(const json_t *of, const char *name)
{
    const char *text = json_string_value(json_object_get(of, name));
    return text ? text : "";
}

unsigned char *vectors_bytes(const json_t *of, const char *name, size_t *n)
{
    const char *text = vectors_text(of, name);
    *n = strlen(text) / 2;
    unsigned char *bytes = malloc(*n + 1);
    assert_true(hex_decode((struct span){text, strlen(text)}, bytes, *n));
    return bytes;
}
