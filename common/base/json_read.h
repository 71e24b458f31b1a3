// Reading JSON by Jansson, with an allocator that wipes what it frees (request bodies hold plaintext).
#pragma once

#include <jansson.h>

#include "common/base/buf.h"

// Installs the wiping allocator; call once before the first use of Jansson.
void json_read_setup(void);
// A new reference (json_decref() is the caller's), NULL when the text is not one JSON value (objects, arrays, scalars
// allowed; U+0000 in strings allowed; nesting as deep as Jansson permits). why, if not NULL, gets a short English
// reason with line and column; it never quotes the text.
json_t *json_read(struct span text, char *why, size_t why_size);
// The same, but a member given twice is an error: for documents whose meaning must not depend on which one counts.
json_t *json_read_unique(struct span text, char *why, size_t why_size);
// The whole of a file, at most max bytes; no member may be given twice. NULL with a reason naming the path.
json_t *json_read_file(const char *path, size_t max, char *why, size_t why_size);
// A string value as a span (empty for anything else).
struct span json_span(const json_t *string);
