// local-kms's seed files (github.com/nsmithuk/local-kms), read as they are. Three forms:
//
//   before 3   Keys: [{Metadata: {KeyId}, BackingKeys: [hex]}]                        AES only
//   3          Keys: {Symmetric: {Aes: [...], Hmac: [...]}, Asymmetric: {Rsa: [...], Ecc: [...]}}
//              each {Metadata: {KeyId, Description, Origin, KeyUsage, KeySpec, Enabled}, NextKeyRotation,
//              BackingKeys: [hex] | PrivateKeyPem}
//   4          Version: 2, Keys: [{KeyId, Metadata: {Description, KeySpec, KeyUsage}, NextKeyRotation,
//              Material: {BackingKeys | PrivateKeyPem}}]
//
// and in all of them Aliases: [{AliasName, TargetKeyId}]. The last of several backing keys encrypts.
#include "common/base/ids.h"
#include "kmsd/seed_internal.h"

struct metadata {
    struct span id, description, usage, origin, spec;
    struct opt_bool enabled;
};

struct material {
    struct span_list backing_keys;
    struct span pem;
};

struct local_key {
    struct span id; // version 4
    struct metadata metadata;
    struct material material;
    struct span next_rotation;
};

#define ROW(name_, struct_, member_)                                                                                   \
    {                                                                                                                  \
        .name = name_, .type = PARAM_STRING, .offset = PARAM_AT(struct_, member_)                                      \
    }
#define KEY_ROW(name_, member_) ROW(name_, local_key, member_)
#define METADATA(rows_)                                                                                                \
    {                                                                                                                  \
        .name = "Metadata", .type = PARAM_OBJECT, .offset = PARAM_AT(local_key, metadata), .required = true,           \
        .members = rows_, .members_size = sizeof(struct metadata)                                                      \
    }

static const struct param metadata_rows[] = {
    {.name = "KeyId", .type = PARAM_STRING, .offset = PARAM_AT(metadata, id), .required = true},
    ROW("Description", metadata, description),
    ROW("KeyUsage", metadata, usage),
    ROW("Origin", metadata, origin),
    ROW("KeySpec", metadata, spec),
    {.name = "Enabled", .type = PARAM_BOOL, .offset = PARAM_AT(metadata, enabled)},
    {NULL},
};

static const struct param secret_rows[] = {
    METADATA(metadata_rows),
    {.name = "BackingKeys", .type = PARAM_STRINGS, .offset = PARAM_AT(local_key, material.backing_keys)},
    KEY_ROW("NextKeyRotation", next_rotation),
    {NULL},
};

static const struct param pair_rows[] = {
    METADATA(metadata_rows),
    {.name = "PrivateKeyPem", .type = PARAM_STRING, .offset = PARAM_AT(local_key, material.pem), .required = true},
    {NULL},
};

static const struct param metadata_4_rows[] = {
    ROW("Description", metadata, description),
    {.name = "KeySpec", .type = PARAM_STRING, .offset = PARAM_AT(metadata, spec), .required = true},
    ROW("KeyUsage", metadata, usage),
    {NULL},
};

static const struct param material_4_rows[] = {
    {.name = "BackingKeys", .type = PARAM_STRINGS, .offset = PARAM_AT(material, backing_keys)},
    ROW("PrivateKeyPem", material, pem),
    {NULL},
};

static const struct param key_4_rows[] = {
    {.name = "KeyId", .type = PARAM_STRING, .offset = PARAM_AT(local_key, id), .required = true},
    METADATA(metadata_4_rows),
    {.name = "Material",
     .type = PARAM_OBJECT,
     .offset = PARAM_AT(local_key, material),
     .required = true,
     .members = material_4_rows,
     .members_size = sizeof(struct material)},
    KEY_ROW("NextKeyRotation", next_rotation),
    {NULL},
};

struct alias_params_read {
    struct span name, key_id;
};

static const struct param alias_rows[] = {
    {.name = "AliasName", .type = PARAM_STRING, .offset = PARAM_AT(alias_params_read, name), .required = true},
    {.name = "TargetKeyId", .type = PARAM_STRING, .offset = PARAM_AT(alias_params_read, key_id), .required = true},
    {NULL},
};

// ---- keys ----

// What is to be read in a list of keys.
struct kind {
    const struct param *rows;
    const char *spec, *usage; // what it takes for granted; NULL: nothing
};

// Where there is but one use for a key, local-kms needs not be told.
static struct span only_usage(struct span spec_name)
{
    const struct key_spec *spec = key_spec_find(spec_name);
    for (int i = 0; spec && i < KEY_USAGES; i++)
        if (spec->usages == 1u << i)
            return span_of(key_usage_names[i]);
    return (struct span){NULL, 0};
}

static bool has_value(const struct span *text)
{
    return text->p && text->n > 0;
}

static bool read_key(struct seed_reader *r, const struct doc *map, const struct kind *kind, const char *path)
{
    struct local_key key = {0};
    struct seed_key_params p = {0};
    if (!seed_map(r, map, kind->rows, &key, path))
        return false;
    struct metadata *m = &key.metadata;
    if (m->enabled.set && !m->enabled.v)
        return seed_bad_member(r, map, path, "Enabled",
                               "local-kms enables every key of a seed all the same; leave it out");
    p.id = key.id.p ? key.id : m->id;
    p.create.description = m->description;
    p.create.key_spec = has_value(&m->spec) ? m->spec : span_of(kind->spec);
    p.create.key_usage = has_value(&m->usage) ? m->usage : span_of(kind->usage);
    if (has_value(&m->origin) && !span_is(m->origin, "AWS_KMS"))
        p.create.origin = m->origin;
    if (has_value(&p.create.key_spec) && !key_spec_find(p.create.key_spec))
        return seed_bad_member(r, map, path, "KeySpec", "is no KeySpec of KMS");
    enum key_usage usage;
    if (has_value(&p.create.key_usage) && !key_usage_find(p.create.key_usage, &usage))
        return seed_bad_member(r, map, path, "KeyUsage", "is no KeyUsage of KMS");
    if (!has_value(&p.create.key_usage))
        p.create.key_usage = only_usage(p.create.key_spec);
    r->material_member = key.material.pem.p ? "PrivateKeyPem" : "BackingKeys";
    p.materials = key.material.pem.p ? (struct span_list){&key.material.pem, 1, true} : key.material.backing_keys;
    if (p.materials.n == 0 && !p.create.origin.p)
        return seed_bad_member(r, map, path, "BackingKeys", "is missing");
    p.rotates = (struct opt_bool){key.next_rotation.p != NULL, key.next_rotation.p != NULL};
    p.next_rotation = key.next_rotation;
    return seed_add_key(r, map, path, &p);
}

static bool read_keys(struct seed_reader *r, const struct doc *list, const struct kind *kind, const char *path)
{
    if (!list || doc_is_null(list))
        return true;
    if (list->kind != DOC_LIST)
        return seed_bad(r, list->line, path, "must be a list");
    for (size_t i = 0; i < list->n; i++) {
        char item[SEED_PATH_SIZE];
        seed_item_path(item, path, i);
        if (!read_key(r, list->items[i].value, kind, item))
            return false;
    }
    return true;
}

// Each name in the group has a list of keys of its kind.
struct section {
    const char *group, *name, *path;
    struct kind kind;
};

static const struct section sections[] = {
    {"Symmetric", "Aes", "Keys.Symmetric.Aes", {secret_rows, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"}},
    {"Symmetric", "Hmac", "Keys.Symmetric.Hmac", {secret_rows, NULL, NULL}},
    {"Asymmetric", "Rsa", "Keys.Asymmetric.Rsa", {pair_rows, NULL, NULL}},
    {"Asymmetric", "Ecc", "Keys.Asymmetric.Ecc", {pair_rows, NULL, "SIGN_VERIFY"}},
};
#define SECTIONS_N (sizeof sections / sizeof sections[0])

// name NULL: whether there is such a group.
static bool is_section(struct span group, const struct span *name)
{
    for (size_t i = 0; i < SECTIONS_N; i++)
        if (span_is(group, sections[i].group) && (!name || span_is(*name, sections[i].name)))
            return true;
    return false;
}

static bool check_sections(struct seed_reader *r, const struct doc *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        const struct doc_item *group = &keys->items[i];
        if (!is_section(group->name, NULL))
            return seed_bad(r, group->line, "Keys", "%.64s: unknown member", group->name.p);
        if (group->value->kind != DOC_MAP && !doc_is_null(group->value))
            return seed_bad(r, group->line, "Keys", "%s must be a map", group->name.p);
        for (size_t j = 0; j < group->value->n; j++) {
            const struct doc_item *list = &group->value->items[j];
            if (!is_section(group->name, &list->name))
                return seed_bad(r, list->line, "Keys", "%s.%.64s: unknown member", group->name.p, list->name.p);
        }
    }
    return true;
}

static bool read_sections(struct seed_reader *r, const struct doc *keys)
{
    if (!check_sections(r, keys))
        return false;
    for (size_t i = 0; i < SECTIONS_N; i++) {
        const struct doc *group = doc_member(keys, sections[i].group);
        const struct doc *list = group ? doc_member(group, sections[i].name) : NULL;
        if (!read_keys(r, list, &sections[i].kind, sections[i].path))
            return false;
    }
    return true;
}

// ---- aliases ----

static const struct seed_key *find_key(const struct seed *seed, struct span id)
{
    for (size_t i = 0; i < seed->keys_n; i++)
        if (span_is(id, seed->keys[i].id) || span_is(id, seed->keys[i].arn))
            return &seed->keys[i];
    return NULL;
}

static bool read_alias(struct seed_reader *r, const struct doc *map, const char *path)
{
    struct alias_params_read a = {0};
    if (!seed_map(r, map, alias_rows, &a, path))
        return false;
    const struct seed_key *key = find_key(r->seed, a.key_id);
    if (!key)
        return seed_bad_member(r, map, path, "TargetKeyId", "is no key of this file");
    // Version 4 lets the prefix be left out.
    struct span name = a.name;
    if (!span_starts(name, "alias/"))
        name = span_of(arena_printf(&r->seed->arena, "alias/%.*s", (int)a.name.n, a.name.p));
    return seed_add_alias(r, doc_member_line(map, "AliasName"), path, name, key);
}

static bool read_aliases(struct seed_reader *r, const struct doc *list)
{
    if (!list || doc_is_null(list))
        return true;
    if (list->kind != DOC_LIST)
        return seed_bad(r, list->line, "Aliases", "must be a list");
    for (size_t i = 0; i < list->n; i++) {
        char path[SEED_PATH_SIZE];
        seed_item_path(path, "Aliases", i);
        if (!read_alias(r, list->items[i].value, path))
            return false;
    }
    return true;
}

// ---- the file ----

bool seed_is_local_kms(const struct doc *root)
{
    const struct doc *keys = doc_member(root, "Keys");
    if (doc_member(root, "Version") || doc_member(root, "Aliases") || (keys && keys->kind == DOC_MAP))
        return true;
    return keys && keys->kind == DOC_LIST && keys->n > 0 && doc_member(keys->items[0].value, "Metadata");
}

static bool check_members(struct seed_reader *r, const struct doc *root)
{
    const struct doc *version = doc_member(root, "Version");
    for (size_t i = 0; i < root->n; i++) {
        struct span name = root->items[i].name;
        if (!span_is(name, "Version") && !span_is(name, "Keys") && !span_is(name, "Aliases"))
            return seed_bad(r, root->items[i].line, name.p, "unknown member");
    }
    if (version && (version->kind != DOC_TEXT || !span_is(version->text, "2")))
        return seed_bad(r, version->line, "Version", "only 2 is known, and none");
    return true;
}

bool seed_read_local_kms(struct seed_reader *r, const struct doc *root)
{
    static const struct kind old = {secret_rows, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"},
                             version_4 = {key_4_rows, NULL, NULL};
    const struct doc *keys = doc_member(root, "Keys");
    r->rotation_member = "NextKeyRotation";
    if (!check_members(r, root))
        return false;
    if (keys && keys->kind == DOC_MAP) {
        if (!read_sections(r, keys))
            return false;
    } else if (!read_keys(r, keys, doc_member(root, "Version") ? &version_4 : &old, "Keys")) {
        return false;
    }
    return read_aliases(r, doc_member(root, "Aliases"));
}
