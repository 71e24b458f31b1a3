// Streaming JSON writer into a buf: no tree. Commas are kept by the writer; nesting is the caller's duty.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

struct json_write {
    struct buf *b;
    bool comma; // a comma is due before the next key or value
};

void json_write_init(struct json_write *w, struct buf *b);

void json_obj_begin(struct json_write *w);
void json_obj_end(struct json_write *w);
void json_arr_begin(struct json_write *w);
void json_arr_end(struct json_write *w);
void json_key(struct json_write *w, const char *key); // plain ASCII of our own: written as it is, never escaped
void json_key_span(struct json_write *w, struct span key);

// Values. Invalid UTF-8 in a string is written as U+FFFD; control characters are escaped.
void json_str(struct json_write *w, struct span text);
void json_cstr(struct json_write *w, const char *text);
void json_i64(struct json_write *w, int64_t v);
void json_bool(struct json_write *w, bool v);
void json_none(struct json_write *w);                       // null
void json_raw(struct json_write *w, struct span json);      // already JSON
void json_base64(struct json_write *w, struct span bytes);  // as a string
void json_epoch(struct json_write *w, int64_t ns);          // seconds since 1970 with three decimals: 1552353132.722
void json_value(struct json_write *w, const json_t *value); // any Jansson value, compact

// key and value in one.
void json_kstr(struct json_write *w, const char *key, struct span text);
void json_kcstr(struct json_write *w, const char *key, const char *text); // nothing is written for NULL
void json_ki64(struct json_write *w, const char *key, int64_t v);
void json_kbool(struct json_write *w, const char *key, bool v);
void json_kepoch(struct json_write *w, const char *key, int64_t ns);
