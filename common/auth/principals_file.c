// config/principals.json -> principals. Every member is known by name; what is not is an error that names its path.
#include "common/auth/principals_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ids.h"
#include "common/base/json_read.h"

#define FILE_MAX_BYTES (16u * 1024 * 1024)
#define PATH_BYTES 512

struct reader {
    const char *file;
    int64_t started_ns;
    struct principal_list *list;
    char *why;
    size_t why_size;
    const char *account;
};

// The keys of one user, role session or root, and what they have in common.
struct identity {
    enum principal_type type;
    const char *name, *role;
    const char *principal_id; // as given; NULL: derived
    const json_t *policies;
    char policies_path[PATH_BYTES];
};

static bool bad(struct reader *r, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool bad(struct reader *r, const char *path, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(r->why, r->why_size, "%s: %s: %s", r->file, path, text);
    return false;
}

static void join(char out[PATH_BYTES], const char *path, const char *name)
{
    snprintf(out, PATH_BYTES, "%.400s%s%.100s", path, *path ? "." : "", name);
}

static bool is_object(struct reader *r, const json_t *value, const char *path)
{
    return json_is_object(value) || bad(r, path, "must be an object");
}

// Every member must be one of names (NULL ends).
static bool members_known(struct reader *r, const json_t *object, const char *path, const char *const *names)
{
    if (!is_object(r, object, path))
        return false;
    for (void *it = json_object_iter((json_t *)object); it; it = json_object_iter_next((json_t *)object, it)) {
        const char *key = json_object_iter_key(it);
        const char *const *name = names;
        while (*name && strcmp(*name, key) != 0)
            name++;
        if (!*name) {
            char member[PATH_BYTES];
            join(member, path, key);
            return bad(r, member, "unknown member");
        }
    }
    return true;
}

// A text member; required or NULL.
static bool text_member(struct reader *r, const json_t *object, const char *path, const char *name, bool required,
                        const char **out)
{
    char member[PATH_BYTES];
    join(member, path, name);
    const json_t *value = json_object_get(object, name);
    *out = NULL;
    if (!value)
        return !required || bad(r, member, "is missing");
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        strlen(json_string_value(value)) != json_string_length(value))
        return bad(r, member, "must be a text");
    *out = json_string_value(value);
    return true;
}

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n < 1 || n > 64)
        return false;
    for (; *name; name++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-", *name))
            return false;
    return true;
}

static void fill_names(struct reader *r, const struct identity *id, struct principal_owned *o)
{
    struct arena *a = &o->texts;
    char derived[22];
    const char *account = o->p.account;
    o->p.name = id->name ? arena_strdup(a, id->name) : NULL;
    switch (id->type) {
    case PRINCIPAL_ROOT:
        o->p.arn = arena_printf(a, "arn:aws:iam::%s:root", account);
        o->p.principal_id = arena_strdup(a, account);
        o->p.full_rights = true;
        return;
    case PRINCIPAL_USER:
        o->p.arn = arena_printf(a, "arn:aws:iam::%s:user/%s", account, id->name);
        id_principal("AIDA", o->p.arn, derived);
        o->p.principal_id = arena_strdup(a, id->principal_id ? id->principal_id : derived);
        return;
    default:
        o->p.arn = arena_printf(a, "arn:aws:sts::%s:assumed-role/%s/%s", account, id->role, id->name);
        o->p.role_arn = arena_printf(a, "arn:aws:iam::%s:role/%s", account, id->role);
        o->p.role_name = arena_strdup(a, id->role);
        id_principal("AROA", o->p.role_arn, derived);
        o->p.role_id = arena_strdup(a, id->principal_id ? id->principal_id : derived);
        o->p.principal_id = arena_printf(a, "%s:%s", o->p.role_id, id->name);
        o->p.session_start_ns = r->started_ns;
    }
}

static bool add_policies(struct reader *r, const struct identity *id, struct principal_owned *o)
{
    if (!id->policies)
        return true;
    if (!is_object(r, id->policies, id->policies_path))
        return false;
    for (void *it = json_object_iter((json_t *)id->policies); it;
         it = json_object_iter_next((json_t *)id->policies, it)) {
        char why[512], path[PATH_BYTES];
        struct policy *policy = policy_from_json(json_object_iter_value(it), POLICY_IDENTITY, why, sizeof why);
        join(path, id->policies_path, json_object_iter_key(it));
        if (!policy)
            return bad(r, path, "%s", why);
        principal_add_policy_take(o, policy);
    }
    return true;
}

// Policies are checked even where no key would use them.
static bool check_policies(struct reader *r, const struct identity *id)
{
    struct principal_owned *o = principal_new(id->type, r->account);
    bool ok = add_policies(r, id, o);
    principal_unref(&o->p);
    return ok;
}

static bool read_key(struct reader *r, const json_t *key, const char *path, const struct identity *id)
{
    static const char *const plain[] = {"id", "secret", NULL};
    static const char *const session[] = {"id", "secret", "token", NULL};
    const char *key_id, *secret, *token = NULL;
    bool is_session = id->type == PRINCIPAL_ROLE_SESSION;
    if (!members_known(r, key, path, is_session ? session : plain) || !text_member(r, key, path, "id", true, &key_id) ||
        !text_member(r, key, path, "secret", true, &secret) ||
        (is_session && !text_member(r, key, path, "token", true, &token)))
        return false;
    char member[PATH_BYTES];
    join(member, path, "id");
    if (strlen(key_id) > 128 || strpbrk(key_id, "/, \t"))
        return bad(r, member, "is not an access key id");
    for (size_t i = 0; i < r->list->n; i++)
        if (strcmp(r->list->v[i]->p.access_key_id, key_id) == 0)
            return bad(r, member, "the access key %s is given twice", key_id);
    struct principal_owned *o = principal_new(id->type, r->account);
    principal_list_add(r->list, o);
    o->p.access_key_id = arena_strdup(&o->texts, key_id);
    if (!secret_copy(&o->secret, secret, strlen(secret)) ||
        (token && !secret_copy(&o->token_text, token, strlen(token) + 1)))
        abort();
    o->token = token ? (const char *)o->token_text.p : NULL;
    fill_names(r, id, o);
    return add_policies(r, id, o);
}

static bool read_keys(struct reader *r, const json_t *owner, const char *path, const struct identity *id)
{
    char list_path[PATH_BYTES], item[PATH_BYTES];
    join(list_path, path, "accessKeys");
    const json_t *keys = json_object_get(owner, "accessKeys");
    if (!keys)
        return true;
    if (!json_is_array(keys))
        return bad(r, list_path, "must be a list");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        snprintf(item, sizeof item, "%.480s[%zu]", list_path, i);
        if (!read_key(r, json_array_get(keys, i), item, id))
            return false;
    }
    return true;
}

static bool read_user(struct reader *r, const char *name, const json_t *user, const char *path)
{
    static const char *const names[] = {"accessKeys", "policies", "principalId", NULL};
    struct identity id = {.type = PRINCIPAL_USER, .name = name, .policies = json_object_get(user, "policies")};
    join(id.policies_path, path, "policies");
    if (!name_ok(name))
        return bad(r, path, "is not a user name");
    return members_known(r, user, path, names) && text_member(r, user, path, "principalId", false, &id.principal_id) &&
           check_policies(r, &id) && read_keys(r, user, path, &id);
}

static bool read_session(struct reader *r, const json_t *session, const char *path, struct identity *id)
{
    static const char *const names[] = {"name", "accessKey", NULL};
    char key_path[PATH_BYTES];
    join(key_path, path, "accessKey");
    if (!members_known(r, session, path, names) || !text_member(r, session, path, "name", true, &id->name))
        return false;
    if (!name_ok(id->name) || strlen(id->name) < 2) {
        char member[PATH_BYTES];
        join(member, path, "name");
        return bad(r, member, "is not a session name");
    }
    const json_t *key = json_object_get(session, "accessKey");
    return key ? read_key(r, key, key_path, id) : bad(r, key_path, "is missing");
}

static bool read_role(struct reader *r, const char *name, const json_t *role, const char *path)
{
    static const char *const names[] = {"policies", "sessions", "principalId", NULL};
    struct identity id = {.type = PRINCIPAL_ROLE_SESSION, .role = name, .policies = json_object_get(role, "policies")};
    char list_path[PATH_BYTES], item[PATH_BYTES];
    join(id.policies_path, path, "policies");
    join(list_path, path, "sessions");
    if (!name_ok(name))
        return bad(r, path, "is not a role name");
    if (!members_known(r, role, path, names) || !text_member(r, role, path, "principalId", false, &id.principal_id) ||
        !check_policies(r, &id))
        return false;
    const json_t *sessions = json_object_get(role, "sessions");
    if (sessions && !json_is_array(sessions))
        return bad(r, list_path, "must be a list");
    for (size_t i = 0; i < json_array_size(sessions); i++) {
        snprintf(item, sizeof item, "%.480s[%zu]", list_path, i);
        if (!read_session(r, json_array_get(sessions, i), item, &id))
            return false;
    }
    return true;
}

static bool each(struct reader *r, const json_t *object, const char *path,
                 bool (*read_one)(struct reader *, const char *name, const json_t *, const char *path))
{
    if (!object)
        return true;
    if (!is_object(r, object, path))
        return false;
    for (void *it = json_object_iter((json_t *)object); it; it = json_object_iter_next((json_t *)object, it)) {
        char member[PATH_BYTES];
        join(member, path, json_object_iter_key(it));
        if (!read_one(r, json_object_iter_key(it), json_object_iter_value(it), member))
            return false;
    }
    return true;
}

static bool read_root(struct reader *r, const json_t *root, const char *path)
{
    static const char *const names[] = {"accessKeys", NULL};
    struct identity id = {.type = PRINCIPAL_ROOT};
    return !root || (members_known(r, root, path, names) && read_keys(r, root, path, &id));
}

static bool read_account(struct reader *r, const char *account, const json_t *value, const char *path)
{
    static const char *const names[] = {"root", "users", "roles", NULL};
    char root[PATH_BYTES], users[PATH_BYTES], roles[PATH_BYTES];
    if (!id_is_account(span_of(account)))
        return bad(r, path, "is not an account of 12 digits");
    r->account = account;
    join(root, path, "root");
    join(users, path, "users");
    join(roles, path, "roles");
    return members_known(r, value, path, names) && read_root(r, json_object_get(value, "root"), root) &&
           each(r, json_object_get(value, "users"), users, read_user) &&
           each(r, json_object_get(value, "roles"), roles, read_role);
}

static bool read_document(struct reader *r, const json_t *document)
{
    static const char *const names[] = {"accounts", NULL};
    return members_known(r, document, "(document)", names) &&
           each(r, json_object_get(document, "accounts"), "accounts", read_account);
}

static bool finish(struct reader *r, json_t *document)
{
    bool ok = document && read_document(r, document);
    if (document)
        json_decref(document);
    return ok;
}

bool principals_parse(struct span text, const char *name, int64_t started_ns, struct principal_list *list, char *why,
                      size_t why_size)
{
    struct reader r = {.file = name, .started_ns = started_ns, .list = list, .why = why, .why_size = why_size};
    char reason[96];
    json_t *document = json_read_unique(text, reason, sizeof reason);
    if (!document)
        snprintf(why, why_size, "%s: %s", name, reason);
    return finish(&r, document);
}

bool principals_read(const char *path, int64_t started_ns, struct principal_list *list, char *why, size_t why_size)
{
    struct reader r = {.file = path, .started_ns = started_ns, .list = list, .why = why, .why_size = why_size};
    return finish(&r, json_read_file(path, FILE_MAX_BYTES, why, why_size));
}

void principal_list_add(struct principal_list *list, struct principal_owned *o)
{
    struct principal_owned **grown = realloc(list->v, (list->n + 1) * sizeof *grown);
    if (!grown)
        abort();
    grown[list->n++] = o;
    list->v = grown;
}

void principal_list_done(struct principal_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        principal_unref(&list->v[i]->p);
    free(list->v);
    *list = (struct principal_list){0};
}
