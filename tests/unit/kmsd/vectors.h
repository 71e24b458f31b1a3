// Known answers of tests/data/vectors, for the tests of the cryptography.
#pragma once

#include <jansson.h>
#include <stddef.h>

// The groups of a file; json_decref() of what *file gets is the caller's.
json_t *vectors_groups(const char *name, json_t **file);
// A member's text, "" when absent.
const char *vectors_text(const json_t *of, const char *name);
// The bytes of a member that is hexadecimal, on the heap.
unsigned char *vectors_bytes(const json_t *of, const char *name, size_t *n);
