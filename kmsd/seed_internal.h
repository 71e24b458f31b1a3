// What the readers of the two forms of seed files share; nobody else includes it.
#pragma once

#include "common/base/doc.h"
#include "common/rpc/call.h"
#include "kmsd/op_create_key.h"
#include "kmsd/seed.h"

#define SEED_PATH_SIZE 160

// A key as a seed describes it: CreateKey's parameters and what CreateKey would choose itself.
struct seed_key_params {
    struct create_key_params create; // first: the rows of CreateKey fill it
    struct span id, account, region, next_rotation;
    struct opt_bool enabled, rotates;
    struct opt_int rotation_days;
    struct span_list materials; // hexadecimal, base64 or PEM
    struct span_list aliases;
    struct obj_list grants; // of struct grant_params
};

struct seed_reader {
    const char *file;
    const char *account, *region; // of keys that name none
    struct seed *seed;
    struct call call;                              // stands for the CreateKey and CreateGrant of what is read
    const char *material_member, *rotation_member; // what this form calls them
    json_t *values;                                // a list of what the parameters point into
    json_t *lines;                                 // of each key and alias, by ARN
    size_t keys_room, aliases_room;
    char *why;
    size_t why_size;
};

// ---- seed_rows.c: maps by tables of parameters ----

// Sets why to "FILE:LINE: PATH: …"; false.
bool seed_bad(struct seed_reader *r, int line, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// The same about a member of the map, or of a map in it.
bool seed_bad_member(struct seed_reader *r, const struct doc *map, const char *path, const char *member,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
// The same about an element of a member that is a list (or stands for one).
bool seed_bad_item(struct seed_reader *r, const struct doc *map, const char *path, const char *member, size_t i,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));
// Reads the map into *params (zeroed), as requests are read; members without a row are errors. What is read lives as
// long as the reader.
MUST_CHECK bool seed_map(struct seed_reader *r, const struct doc *map, const struct param *rows, void *params,
                         const char *path);
// "PATH[3]"
void seed_item_path(char out[SEED_PATH_SIZE], const char *path, size_t i);

// ---- seed_key.c, seed_material.c ----

// Judges one key and adds it to the seed. map is where its members are, for errors.
MUST_CHECK bool seed_add_key(struct seed_reader *r, const struct doc *map, const char *path,
                             struct seed_key_params *params);
// key_arn: of a key of this seed, or NULL with the text that should name one.
MUST_CHECK bool seed_add_alias(struct seed_reader *r, int line, const char *path, struct span name,
                               const struct seed_key *key);
// One material, as text. spec NULL: found by what a PEM text holds, and set. A reason or NULL.
MUST_CHECK const char *seed_material(const struct key_spec **spec, struct span text, struct secret *material);

// ---- the two forms ----

MUST_CHECK bool seed_read_own(struct seed_reader *r, const struct doc *root);
bool seed_is_local_kms(const struct doc *root);
MUST_CHECK bool seed_read_local_kms(struct seed_reader *r, const struct doc *root);
