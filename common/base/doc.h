// YAML and JSON texts as trees in which every node knows its line, so that whoever reads a file can say where it is
// wrong. YAML's scalars stay texts: what reads them knows what they are to be (a key that consists of digits is no
// number). Texts may be secrets and are wiped with the tree.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

enum doc_kind { DOC_TEXT, DOC_LIST, DOC_MAP };

struct doc;

// An element of a list (without a name) or a member of a map.
struct doc_item {
    struct span name; // terminated
    int line;         // of the name, or of the element
    const struct doc *value;
};

struct doc {
    enum doc_kind kind;
    int line;         // from 1
    bool plain;       // DOC_TEXT: written without quotes
    struct span text; // DOC_TEXT: terminated, without U+0000
    struct doc_item *items;
    size_t n;
    int height; // levels below it, through aliases too
};

struct doc_tree;

// The one document of a text; json: it must be JSON, else YAML 1.1 (of which anchors and aliases are understood, tags
// are not). No member may be given twice. NULL with a reason, and the line in *line.
struct doc_tree *doc_read(struct span text, bool json, int *line, char *why, size_t why_size);
void doc_free(struct doc_tree *tree);
const struct doc *doc_root(const struct doc_tree *tree);

const struct doc *doc_member(const struct doc *map, const char *name); // NULL: none, or no map
int doc_member_line(const struct doc *map, const char *name);          // that of the map when it has none
bool doc_is_null(const struct doc *d);                                 // nothing, ~ or null
// true or false; false is returned for anything else.
bool doc_bool(const struct doc *d, bool *out);
// The node as JSON text: true, false and null as JSON has them, all other words as texts (an account is no number).
// Ends when b is full.
void doc_write_json(const struct doc *d, struct buf *b);
