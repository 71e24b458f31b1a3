// libyaml's events become a tree. JSON goes the same way, after Jansson found it to be JSON: libyaml knows it too, and
// knows the lines. Called by kmsd's reader of seeds.
#include "common/base/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "common/base/arena.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"

#define DEPTH_MAX 32
#define MEMBERS_MAX 4096 // each is compared with those before it

struct text {
    struct text *next;
    size_t n;
    char bytes[];
};

struct anchor {
    struct anchor *next;
    const char *name;
    const struct doc *node;
};

struct doc_tree {
    struct arena arena;
    struct text *texts;
    struct anchor *anchors;
    const struct doc *root;
};

struct building {
    struct doc_tree *tree;
    yaml_parser_t parser;
    int *line;
    char *why;
    size_t why_size;
};

static const struct doc *fail(struct building *b, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static const struct doc *fail(struct building *b, size_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->why, b->why_size, format, args);
    va_end(args);
    *b->line = (int)line + 1;
    return NULL;
}

static struct span keep_text(struct doc_tree *t, const void *bytes, size_t n)
{
    struct text *text = malloc(sizeof *text + n + 1);
    if (!text)
        abort();
    *text = (struct text){.next = t->texts, .n = n};
    memcpy(text->bytes, bytes, n);
    text->bytes[n] = '\0';
    t->texts = text;
    return (struct span){text->bytes, n};
}

static struct doc *new_node(struct building *b, enum doc_kind kind, const yaml_event_t *e)
{
    struct doc *d = arena_alloc(&b->tree->arena, sizeof *d);
    d->kind = kind;
    d->line = (int)e->start_mark.line + 1;
    return d;
}

// Only once a node is whole can another place name it, so that no node holds itself.
static void note_anchor(struct building *b, const yaml_char_t *name, const struct doc *node)
{
    if (!name || !node)
        return;
    struct anchor *a = arena_alloc(&b->tree->arena, sizeof *a);
    *a = (struct anchor){b->tree->anchors, arena_strdup(&b->tree->arena, (const char *)name), node};
    b->tree->anchors = a;
}

static const struct doc *find_anchor(struct building *b, const yaml_event_t *e, int depth)
{
    const char *name = (const char *)e->data.alias.anchor;
    const struct anchor *a = b->tree->anchors;
    while (a && strcmp(a->name, name) != 0)
        a = a->next;
    if (!a)
        return fail(b, e->start_mark.line, "*%.100s is no anchor of what is above", name);
    return depth + a->node->height > DEPTH_MAX ? fail(b, e->start_mark.line, "nested too deeply") : a->node;
}

static void wipe_event(yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        explicit_bzero(e->data.scalar.value, e->data.scalar.length);
    yaml_event_delete(e);
}

static bool next_event(struct building *b, yaml_event_t *e)
{
    if (yaml_parser_parse(&b->parser, e))
        return true;
    size_t line = b->parser.error == YAML_READER_ERROR ? b->parser.mark.line : b->parser.problem_mark.line;
    fail(b, line, "%s", b->parser.problem ? b->parser.problem : "out of memory");
    return false;
}

static const struct doc *build(struct building *b, const yaml_event_t *e, int depth);

static const struct doc *build_scalar(struct building *b, const yaml_event_t *e)
{
    struct doc *d = new_node(b, DOC_TEXT, e);
    if (memchr(e->data.scalar.value, '\0', e->data.scalar.length))
        return fail(b, e->start_mark.line, "U+0000 in a text");
    d->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && e->data.scalar.plain_implicit;
    d->text = keep_text(b->tree, e->data.scalar.value, e->data.scalar.length);
    note_anchor(b, e->data.scalar.anchor, d);
    return d;
}

static void add_item(struct building *b, struct doc *d, size_t *room, const struct doc_item *item)
{
    if (d->n == *room) {
        struct doc_item *items = arena_alloc(&b->tree->arena, (*room ? 2 * *room : 8) * sizeof *items);
        if (d->n)
            memcpy(items, d->items, d->n * sizeof *items);
        *room = *room ? 2 * *room : 8;
        d->items = items;
    }
    d->items[d->n++] = *item;
    if (d->height <= item->value->height)
        d->height = item->value->height + 1;
}

// The next node of a list or map; false at its end, or with a reason in why.
static bool build_next(struct building *b, yaml_event_type_t end, int depth, const struct doc **out)
{
    yaml_event_t e;
    *out = NULL;
    if (!next_event(b, &e))
        return false;
    bool more = e.type != end;
    if (more)
        *out = build(b, &e, depth);
    wipe_event(&e);
    return more && *out;
}

static const struct doc *build_list(struct building *b, const yaml_event_t *e, int depth)
{
    struct doc *d = new_node(b, DOC_LIST, e);
    const struct doc *value;
    size_t room = 0;
    while (build_next(b, YAML_SEQUENCE_END_EVENT, depth + 1, &value))
        add_item(b, d, &room, &(struct doc_item){.line = value->line, .value = value});
    if (b->why[0])
        return NULL;
    note_anchor(b, e->data.sequence_start.anchor, d);
    return d;
}

static const struct doc *build_map(struct building *b, const yaml_event_t *e, int depth)
{
    struct doc *d = new_node(b, DOC_MAP, e);
    const struct doc *key, *value;
    size_t room = 0;
    while (build_next(b, YAML_MAPPING_END_EVENT, depth + 1, &key)) {
        if (key->kind != DOC_TEXT)
            return fail(b, (size_t)key->line - 1, "the name of a member must be a text");
        if (d->n == MEMBERS_MAX)
            return fail(b, (size_t)key->line - 1, "more than %d members", MEMBERS_MAX);
        if (doc_member(d, key->text.p))
            return fail(b, (size_t)key->line - 1, "%.100s is given twice", key->text.p);
        if (!build_next(b, YAML_NO_EVENT, depth + 1, &value))
            return NULL;
        add_item(b, d, &room, &(struct doc_item){key->text, key->line, value});
    }
    if (b->why[0])
        return NULL;
    note_anchor(b, e->data.mapping_start.anchor, d);
    return d;
}

static bool is_plain_tag(const yaml_char_t *tag)
{
    static const char *const known[] = {YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG, NULL};
    if (!tag)
        return true;
    for (const char *const *t = known; *t; t++)
        if (strcmp((const char *)tag, *t) == 0)
            return true;
    return false;
}

static const struct doc *build(struct building *b, const yaml_event_t *e, int depth)
{
    const yaml_char_t *tag = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
                             : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
                             : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.tag
                                                                    : NULL;
    if (!is_plain_tag(tag))
        return fail(b, e->start_mark.line, "the tag %.100s is not understood", (const char *)tag);
    if (depth > DEPTH_MAX)
        return fail(b, e->start_mark.line, "nested too deeply");
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return build_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return build_list(b, e, depth);
    case YAML_MAPPING_START_EVENT:
        return build_map(b, e, depth);
    case YAML_ALIAS_EVENT:
        return find_anchor(b, e, depth);
    default:
        return fail(b, e->start_mark.line, "a value is missing");
    }
}

// Stream and document begin, the one node, document and stream end.
static const struct doc *build_document(struct building *b)
{
    const struct doc *root = NULL;
    bool more = true;
    while (more && !b->why[0]) {
        yaml_event_t e;
        if (!next_event(b, &e))
            return NULL;
        more = e.type != YAML_STREAM_END_EVENT;
        if (e.type == YAML_DOCUMENT_START_EVENT && root)
            root = fail(b, e.start_mark.line, "only one document is understood");
        else if (e.type != YAML_STREAM_START_EVENT && e.type != YAML_DOCUMENT_START_EVENT &&
                 e.type != YAML_DOCUMENT_END_EVENT && more)
            root = build(b, &e, 0);
        wipe_event(&e);
    }
    if (!root && !b->why[0])
        return fail(b, 0, "nothing is in it");
    return b->why[0] ? NULL : root;
}

// YAML has no surrogates: "\ud83d\ude00" becomes "\U0001f600". The text is known to be JSON.
static void join_surrogates(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned high, low;
        char digits[13] = "";
        if (text.p[i] != '\\' || i + 1 == text.n) {
            buf_append_char(out, text.p[i]);
            continue;
        }
        memcpy(digits, text.p + i, text.n - i < 12 ? text.n - i : 12);
        if (sscanf(digits, "\\u%4x\\u%4x", &high, &low) == 2 && high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 &&
            low < 0xe000) {
            buf_appendf(out, "\\U%08x", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            i += 11;
        } else {
            buf_append(out, text.p + i, 2);
            i++;
        }
    }
}

static bool check_json(struct building *b, struct span text)
{
    char why[128];
    json_t *v = json_read_unique(text, why, sizeof why);
    const char *at = v ? NULL : strstr(why, "line ");
    json_decref(v);
    if (!v)
        fail(b, at ? (size_t)strtol(at + 5, NULL, 10) - 1 : 0, "%s", why);
    return v != NULL;
}

// Not to leave secrets behind in what the parser frees.
static void wipe_parser(yaml_parser_t *p)
{
    if (p->raw_buffer.start)
        explicit_bzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
    if (p->buffer.start)
        explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
    yaml_parser_delete(p);
}

static const struct doc *parse(struct building *b, struct span text)
{
    if (!yaml_parser_initialize(&b->parser))
        return fail(b, 0, "out of memory");
    yaml_parser_set_input_string(&b->parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    const struct doc *root = build_document(b);
    wipe_parser(&b->parser);
    return root;
}

struct doc_tree *doc_read(struct span text, bool json, int *line, char *why, size_t why_size)
{
    struct doc_tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        abort();
    struct building b = {.tree = tree, .line = line, .why = why, .why_size = why_size};
    struct buf joined;
    arena_init(&tree->arena);
    buf_init(&joined, 2 * text.n + 1);
    *why = '\0';
    *line = 1;
    if (json && check_json(&b, text)) {
        join_surrogates(text, &joined);
        tree->root = parse(&b, buf_span(&joined));
    } else if (!json) {
        tree->root = parse(&b, text);
    }
    buf_wipe(&joined);
    if (tree->root)
        return tree;
    doc_free(tree);
    return NULL;
}

void doc_free(struct doc_tree *tree)
{
    if (!tree)
        return;
    for (struct text *t = tree->texts, *next; t; t = next) {
        next = t->next;
        explicit_bzero(t->bytes, t->n);
        free(t);
    }
    arena_done(&tree->arena);
    free(tree);
}

const struct doc *doc_root(const struct doc_tree *tree)
{
    return tree->root;
}

// ---- asking nodes ----

static const struct doc_item *find_item(const struct doc *map, const char *name)
{
    for (size_t i = 0; map->kind == DOC_MAP && i < map->n; i++)
        if (span_is(map->items[i].name, name))
            return &map->items[i];
    return NULL;
}

const struct doc *doc_member(const struct doc *map, const char *name)
{
    const struct doc_item *item = find_item(map, name);
    return item ? item->value : NULL;
}

int doc_member_line(const struct doc *map, const char *name)
{
    const struct doc_item *item = find_item(map, name);
    return item ? item->line : map->line;
}

static bool is_word(const struct doc *d, const char *word)
{
    return d->kind == DOC_TEXT && d->plain && span_is(d->text, word);
}

bool doc_is_null(const struct doc *d)
{
    return is_word(d, "") || is_word(d, "~") || is_word(d, "null");
}

bool doc_bool(const struct doc *d, bool *out)
{
    *out = is_word(d, "true");
    return *out || is_word(d, "false");
}

static void write_text(const struct doc *d, struct json_write *w)
{
    if (doc_is_null(d))
        json_none(w);
    else if (is_word(d, "true") || is_word(d, "false"))
        json_raw(w, d->text);
    else
        json_str(w, d->text);
}

static void write_node(const struct doc *d, struct json_write *w, struct buf *b)
{
    if (d->kind == DOC_TEXT) {
        write_text(d, w);
        return;
    }
    bool map = d->kind == DOC_MAP;
    map ? json_obj_begin(w) : json_arr_begin(w);
    for (size_t i = 0; i < d->n && buf_ok(b); i++) {
        if (map)
            json_key_span(w, d->items[i].name);
        write_node(d->items[i].value, w, b);
    }
    map ? json_obj_end(w) : json_arr_end(w);
}

void doc_write_json(const struct doc *d, struct buf *b)
{
    struct json_write w;
    json_write_init(&w, b);
    write_node(d, &w, b);
}
