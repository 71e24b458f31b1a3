// An operation's parameters as a table: the same rows read the request's JSON into the handler's struct, validate it
// with AWS's sentences, and say what the trail may show. An operation is a row, a struct and a leaf. Sentences: "1
// validation error detected: Value 'x' at 'keyId' failed to satisfy constraint: Member must …".
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/fault.h"
#include "common/base/json_write.h"

// What a member becomes in the handler's struct. Absent members leave zeros.
struct opt_int {
    bool set;
    int64_t v;
};
struct opt_bool {
    bool set;
    bool v;
};
struct opt_time {
    bool set;
    int64_t ns; // since 1970; times that 64 bits do not hold become the first or the last one
};
struct span_list {
    struct span *v;
    size_t n;
    bool set;
};
struct str_pair {
    struct span key, value;
};
struct str_map {
    struct str_pair *v; // in the order of the request
    size_t n;
    bool set;
};
struct obj_list {
    void *v; // n structs of the row's members_size
    size_t n;
    bool set;
};

enum param_type {
    PARAM_STRING,  // struct span; p is NULL when absent
    PARAM_BLOB,    // struct span of decoded bytes, wiped with the call; p is NULL when absent
    PARAM_INTEGER, // struct opt_int
    PARAM_BOOL,    // struct opt_bool
    PARAM_TIME,    // struct opt_time, sent as seconds since 1970; the trail shows it as text
    PARAM_STRINGS, // struct span_list (list of strings)
    PARAM_MAP,     // struct str_map (string to string)
    PARAM_OBJECT,  // the nested struct itself, preceded by nothing; `set` is told by the member at set_offset
    PARAM_OBJECTS, // struct obj_list (list of structures)
    PARAM_JSON,    // json_t *, borrowed from the request: for what has its own reader (attribute values, policies)
};

enum param_trail {
    PARAM_SHOWN = 0, // the trail shows it as sent
    PARAM_HIDDEN,    // never in the trail (plaintext, ciphertext, tokens)
};

struct param {
    const char *name; // as the model spells it: "KeyId". In messages and the trail the first letter is lower-cased.
    enum param_type type;
    size_t offset;
    bool required;
    enum param_trail trail;
    int64_t min, max; // length (strings, blobs in bytes, lists and maps in elements) or value; both 0: unbounded
    // Elements of a list and keys/values of a map: length bounds, both 0: unbounded.
    int64_t item_min, item_max, value_min, value_max;
    const char *const *choices; // enum values in AWS's message order, NULL ends
    const char *const *also;    // a string's values that are accepted and not in AWS's message; NULL ends; NULL: none
    const char *const *shown;   // what AWS's message lists instead of `choices`; NULL ends; NULL: the choices
    bool sensitive;             // the model's: AWS does not quote the value, nor say that it is null
    bool nameless;              // the sentence about `choices` names neither value nor member (AWS's slip)
    // Judged before all other members: a sentence refuses the request at once. value may be NULL or JSON null.
    const char *(*alone)(const json_t *value, struct arena *arena);
    const char *pattern; // regular expression as AWS prints it; checked by `matches`
    bool (*matches)(struct span value);
    const struct param *members; // PARAM_OBJECT(S): rows ended by a NULL name
    size_t members_size;         // sizeof the nested struct
    const char
        *shape; // PARAM_OBJECTS: the structure's name, as AWS prints it in sentences about the list; NULL: left out
    size_t set_offset;         // PARAM_OBJECT: offset (in the outer struct) of a bool that tells it was sent; 0: none
    const char *trail_default; // shown in the trail when absent (a text, or PARAM_BOOL's); NULL: left out
};

#define PARAM_AT(type_, member_) offsetof(struct type_, member_)

// What param_read() needs to know.
struct param_context {
    struct arena *arena;                       // for lists, maps, texts
    void *(*wiped_alloc)(void *arg, size_t n); // memory for blobs, wiped with the call
    void *arg;
    const struct fault *validation;    // ValidationException
    const struct fault *serialization; // SerializationException (wrong JSON type)
    const char *detail;                // out: the sentence
    const char *trail_detail;          // out: as the trail may have it, where it quotes a hidden member; else NULL
};

// Reads the request's JSON object into *params (zeroed by the caller). Unknown members are ignored, as AWS does.
MUST_CHECK const struct fault *param_read(struct param_context *c, const struct param *rows, const json_t *object,
                                          void *params);
// Writes requestParameters: an object of the shown members of the request, or null when there are none.
void param_write_trail(struct json_write *w, const struct param *rows, const json_t *object);
