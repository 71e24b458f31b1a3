// kmsd's own form of seed files. Its members are named as those of CreateKey and CreateGrant, whose tables read them;
// so what these operations know, seeds know.
//
//   Account: "111122223333"
//   Region: eu-central-1
//   Keys:
//     - KeyId: 1234abcd-12ab-34cd-56ef-1234567890ab
//       Material: 5cdaead27fe7da2de47945d73cd6d79e36494e73802f3cd3869f1d2cb0b5d7a9
//       Aliases: [alias/app]
#include "kmsd/limits.h"
#include "kmsd/op_grant.h"
#include "kmsd/seed_internal.h"

#define AT(member_) PARAM_AT(seed_key_params, member_)

static const struct param own_rows[] = {
    {.name = "KeyId", .type = PARAM_STRING, .offset = AT(id), .required = true},
    {.name = "Account", .type = PARAM_STRING, .offset = AT(account)},
    {.name = "Region", .type = PARAM_STRING, .offset = AT(region)},
    {.name = "Enabled", .type = PARAM_BOOL, .offset = AT(enabled)},
    {.name = "Material", .type = PARAM_STRINGS, .offset = AT(materials)},
    {.name = "Aliases", .type = PARAM_STRINGS, .offset = AT(aliases)},
    {.name = "KeyRotationEnabled", .type = PARAM_BOOL, .offset = AT(rotates)},
    {.name = "RotationPeriodInDays", .type = PARAM_INTEGER, .offset = AT(rotation_days)},
    {.name = "NextRotationDate", .type = PARAM_STRING, .offset = AT(next_rotation)},
    {NULL},
};

struct file_params {
    struct span account, region;
};

static const struct param file_rows[] = {
    {.name = "Account", .type = PARAM_STRING, .offset = PARAM_AT(file_params, account)},
    {.name = "Region", .type = PARAM_STRING, .offset = PARAM_AT(file_params, region)},
    {NULL},
};

// Of CreateKey and CreateGrant, what describes a key or grant.
static const char *const create_names[] = {"Description", "KeySpec", "KeyUsage", "MultiRegion",
                                           "Origin",      "Policy",  "Tags",     NULL};
static const char *const grant_names[] = {"Constraints", "GranteePrincipal",  "GranteeServicePrincipal",  "Name",
                                          "Operations",  "RetiringPrincipal", "RetiringServicePrincipal", NULL};

#define ROWS_MAX 32

static size_t copy_rows(struct param *to, const struct param *rows, const char *const *names)
{
    size_t n = 0;
    for (; *names; names++)
        for (const struct param *row = rows; row->name; row++)
            if (strcmp(row->name, *names) == 0)
                to[n++] = *row;
    return n;
}

static const struct param *key_rows(struct seed_reader *r)
{
    struct param *rows = arena_alloc(&r->seed->arena, ROWS_MAX * sizeof *rows);
    struct param *grant_rows = arena_alloc(&r->seed->arena, ROWS_MAX * sizeof *grant_rows);
    size_t n = copy_rows(rows, create_key_rows, create_names);
    copy_rows(grant_rows, create_grant_rows, grant_names);
    for (const struct param *own = own_rows; own->name; own++)
        rows[n++] = *own;
    rows[n] = (struct param){.name = "Grants",
                             .type = PARAM_OBJECTS,
                             .offset = AT(grants),
                             .members = grant_rows,
                             .members_size = sizeof(struct grant_params)};
    return rows;
}

// The members of the file beside its keys: a map of them, so that seed_map() judges them.
static bool read_file_members(struct seed_reader *r, const struct doc *root, struct file_params *file)
{
    struct doc rest = {.kind = DOC_MAP, .line = root->line};
    rest.items = arena_alloc(&r->seed->arena, (root->n + 1) * sizeof *rest.items);
    for (size_t i = 0; i < root->n; i++)
        if (!span_is(root->items[i].name, "Keys"))
            rest.items[rest.n++] = root->items[i];
    return seed_map(r, &rest, file_rows, file, "");
}

bool seed_read_own(struct seed_reader *r, const struct doc *root)
{
    struct file_params file = {0};
    const struct doc *keys = doc_member(root, "Keys");
    const struct param *rows = key_rows(r);
    r->material_member = "Material";
    r->rotation_member = "NextRotationDate";
    if (!read_file_members(r, root, &file))
        return false;
    if (file.account.p)
        r->account = arena_strndup(&r->seed->arena, file.account.p, file.account.n);
    if (file.region.p)
        r->region = arena_strndup(&r->seed->arena, file.region.p, file.region.n);
    if (!keys || keys->kind != DOC_LIST)
        return seed_bad(r, keys ? keys->line : root->line, "Keys", keys ? "must be a list" : "is missing");
    for (size_t i = 0; i < keys->n; i++) {
        struct seed_key_params params = {0};
        char path[SEED_PATH_SIZE];
        seed_item_path(path, "Keys", i);
        if (!seed_map(r, keys->items[i].value, rows, &params, path) ||
            !seed_add_key(r, keys->items[i].value, path, &params))
            return false;
    }
    return true;
}
