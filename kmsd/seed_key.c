// One key of a seed file, whichever form it has: judged as CreateKey, CreateAlias and CreateGrant judge, then kept.
#include <stdio.h>
#include <stdlib.h>

#include "common/auth/region.h"
#include "common/base/digest.h"
#include "common/base/encode.h"
#include "common/base/ids.h"
#include "common/base/time_format.h"
#include "kmsd/arn.h"
#include "kmsd/faults.h"
#include "kmsd/key_type.h"
#include "kmsd/kmsd.h"
#include "kmsd/op_grant.h"
#include "kmsd/policy_check.h"
#include "kmsd/resolve.h"
#include "kmsd/rotation.h"
#include "kmsd/seed_internal.h"

#define ROTATION_DAYS_MIN 90
#define ROTATION_DAYS_MAX 2560

struct adding {
    struct seed_reader *r;
    const struct doc *map;
    const char *path;
    struct seed_key_params *p;
    struct seed_key *key;
};

static const char *own(struct seed_reader *r, struct span text)
{
    return arena_strndup(&r->seed->arena, text.p ? text.p : "", text.n);
}

static struct span own_span(struct seed_reader *r, struct span text)
{
    return (struct span){own(r, text), text.n};
}

// A refusal of the operations' own checks.
static bool refused(struct adding *a, const char *member, const struct fault *fault)
{
    const char *detail = a->r->call.detail ? a->r->call.detail : fault->message;
    return seed_bad_member(a->r, a->map, a->path, member, "%s", detail ? detail : fault->code);
}

// The line of what has this ARN, or this backing key id, already; 0: nothing.
static int take_name(struct seed_reader *r, const char *name, int line)
{
    int other = (int)json_integer_value(json_object_get(r->lines, name));
    json_object_set_new(r->lines, name, json_integer(line));
    return other;
}

static const char *make_arn(struct seed_reader *r, const struct seed_key *key, const char *resource)
{
    char arn[KMS_ARN_SIZE];
    return arn_write(arn, span_of(key->region), key->account, span_of(resource)) ? own(r, span_of(arn)) : NULL;
}

static bool read_place(struct adding *a)
{
    struct seed_reader *r = a->r;
    struct seed_key *key = a->key;
    char resource[64] = "key/";
    struct span account = a->p->account.p ? a->p->account : span_of(r->account);
    struct span region = a->p->region.p ? a->p->region : span_of(r->region);
    if (!resolve_is_key_id(a->p->id))
        return seed_bad_member(r, a->map, a->path, "KeyId",
                               "is no key id: a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key");
    if (!id_is_account(account))
        return seed_bad_member(r, a->map, a->path, "Account", "is not an account of 12 digits");
    if (!region_exists(region))
        return seed_bad_member(r, a->map, a->path, "Region", "is no Region of AWS");
    memcpy(key->account, account.p, 12);
    key->region = own(r, region);
    key->id = own(r, a->p->id);
    memcpy(resource + 4, key->id, a->p->id.n);
    key->arn = make_arn(r, key, resource);
    int other = take_name(r, key->arn, key->line);
    if (other)
        return seed_bad_member(r, a->map, a->path, "KeyId", "is also the key of line %d", other);
    memcpy(r->call.account, key->account, sizeof r->call.account);
    r->call.region = key->region;
    return true;
}

static bool read_materials(struct adding *a)
{
    struct seed_key *key = a->key;
    const struct span_list *texts = &a->p->materials;
    key->materials = arena_alloc(&a->r->seed->arena, texts->n * sizeof *key->materials);
    for (size_t i = 0; i < texts->n; i++) {
        struct seed_material *m = &key->materials[key->materials_n++];
        const char *wrong = seed_material(&key->spec, texts->v[i], &m->bytes);
        if (!wrong && !material_ids(key->spec, key->id, secret_span(&m->bytes), m->backing_id, m->material_id))
            wrong = "is not understood by the cryptographic library";
        if (wrong)
            return seed_bad_item(a->r, a->map, a->path, a->r->material_member, i, "%s", wrong);
        // A ciphertext could not say which of the two it is of.
        char name[2 * BACKING_ID_SIZE + 1];
        hex_encode(m->backing_id, sizeof m->backing_id, name);
        int other = take_name(a->r, name, key->line);
        if (other)
            return seed_bad_item(a->r, a->map, a->path, a->r->material_member, i,
                                 "is also that of the key of line %d, which has the same id", other);
    }
    if (texts->n > 1 && !key->spec->symmetric)
        return seed_bad_member(a->r, a->map, a->path, a->r->material_member,
                               "has several materials, and keys of KeySpec %s are not rotated", key->spec->name);
    return true;
}

// Keys of one id in several Regions would be related, and a seed has primary keys only.
static bool check_relatives(struct adding *a)
{
    const struct seed_key *key = a->key;
    char name[KMS_ARN_SIZE];
    snprintf(name, sizeof name, "%s:%s:%s", region_partition(span_of(key->region)), key->account, key->id);
    int other = key->multi_region ? take_name(a->r, name, key->line) : 0;
    return !other ||
           seed_bad_member(a->r, a->map, a->path, "KeyId",
                           "is also the key of line %d in another Region: ReplicateKey makes replicas", other);
}

static bool check_kind(struct adding *a)
{
    struct create_key_params *p = &a->p->create;
    a->r->call.params = p;
    const struct fault *fault = create_key_check(&a->r->call);
    if (fault)
        return refused(a, fault == &fault_tag ? "Tags" : p->origin.p ? "Origin" : "KeySpec", fault);
    a->key->usage = p->usage;
    a->key->origin = ORIGIN_AWS_KMS;
    for (int i = 0; p->origin.p && i < KEY_ORIGINS; i++)
        if (span_is(p->origin, key_origin_names[i]))
            a->key->origin = (enum key_origin)i;
    if (a->key->origin != ORIGIN_AWS_KMS && a->key->origin != ORIGIN_EXTERNAL)
        return seed_bad_member(a->r, a->map, a->path, "Origin", "a seed's keys are of AWS_KMS or EXTERNAL");
    if (p->multi_region.v != span_starts(a->p->id, "mrk-"))
        return seed_bad_member(a->r, a->map, a->path, "KeyId", "begins with mrk- exactly if MultiRegion is true");
    a->key->multi_region = p->multi_region.v;
    return check_relatives(a);
}

// A PEM text tells the KeySpec by itself.
static bool read_kind(struct adding *a)
{
    struct create_key_params *p = &a->p->create;
    const struct span *first = a->p->materials.n == 1 ? a->p->materials.v : NULL;
    if (!p->key_spec.p && first && memmem(first->p, first->n, "-----BEGIN", 10)) {
        if (!read_materials(a))
            return false;
        p->key_spec = span_of(a->key->spec->name);
        return check_kind(a);
    }
    a->key->spec = p->key_spec.p ? key_spec_find(p->key_spec) : &key_specs[0];
    return check_kind(a) && read_materials(a);
}

static bool read_rotation(struct adding *a)
{
    const struct seed_key_params *p = a->p;
    struct seed_key *key = a->key;
    key->rotates = p->rotates.v;
    key->rotation_days = p->rotation_days.set ? (uint32_t)p->rotation_days.v : ROTATION_DAYS_USUAL;
    const char *about = p->rotation_days.set ? "RotationPeriodInDays" : "KeyRotationEnabled";
    if (p->rotates.v && (!key->spec->symmetric || key->origin != ORIGIN_AWS_KMS))
        return seed_bad_member(a->r, a->map, a->path, about, "only symmetric keys of Origin AWS_KMS are rotated");
    if (p->rotation_days.set && (p->rotation_days.v < ROTATION_DAYS_MIN || p->rotation_days.v > ROTATION_DAYS_MAX))
        return seed_bad_member(a->r, a->map, a->path, "RotationPeriodInDays", "is a number from %d to %d",
                               ROTATION_DAYS_MIN, ROTATION_DAYS_MAX);
    if (!p->rotates.v && (p->rotation_days.set || p->next_rotation.p))
        return seed_bad_member(a->r, a->map, a->path,
                               p->rotation_days.set ? "RotationPeriodInDays" : a->r->rotation_member,
                               "needs KeyRotationEnabled: true");
    if (p->next_rotation.p &&
        (!time_parse_rfc3339(p->next_rotation, &key->next_rotation_ns) || key->next_rotation_ns <= 0))
        return seed_bad_member(a->r, a->map, a->path, a->r->rotation_member,
                               "is not an RFC 3339 time from 1970 on, such as 2030-01-31T12:00:00Z");
    return true;
}

static bool read_policy(struct adding *a)
{
    struct seed_reader *r = a->r;
    struct span text = a->p->create.policy;
    struct buf usual;
    buf_init(&usual, KMS_POLICY_BYTES_MAX);
    if (!text.p) {
        key_policy_default(region_partition(span_of(a->key->region)), a->key->account, &usual);
        text = buf_span(&usual);
    }
    const struct fault *fault = policy_check(&r->call, text, true, a->key->arn, &a->key->policy);
    buf_done(&usual);
    return !fault || refused(a, "Policy", fault);
}

// create_key_check() has judged them.
static bool read_tags(struct adding *a)
{
    const struct obj_list *tags = &a->p->create.tags;
    const struct tag_param *v = tags->v;
    a->key->tags = arena_alloc(&a->r->seed->arena, tags->n * sizeof *a->key->tags);
    for (size_t i = 0; i < tags->n; i++)
        a->key->tags[i] = (struct tag_param){own_span(a->r, v[i].key), own_span(a->r, v[i].value)};
    a->key->tags_n = tags->n;
    return true;
}

// A grant is kept as the record that the store would hold. Its id is always the same, as the key's is.
static void keep_grant(struct adding *a, const struct grant *g, struct buf *record)
{
    struct seed_grant *kept = &a->key->grants[a->key->grants_n++];
    grant_encode(g, record);
    kept->record = own_span(a->r, buf_span(record));
    hmac_sha256(span_of(a->key->arn), kept->record, kept->id);
}

static bool read_grants(struct adding *a)
{
    struct call *call = &a->r->call;
    struct obj_list *list = &a->p->grants;
    struct grant_params *v = list->v;
    const struct doc *nodes = doc_member(a->map, "Grants");
    a->key->grants = arena_alloc(&a->r->seed->arena, list->n * sizeof *a->key->grants);
    for (size_t i = 0; i < list->n; i++) {
        struct buf record;
        buf_init(&record, 64 * 1024);
        call->params = &v[i];
        struct grant *g;
        const struct fault *fault = create_grant_describe(call, a->key->spec, a->key->usage, &g);
        if (!fault)
            keep_grant(a, g, &record);
        buf_done(&record);
        grant_free(g);
        if (!fault)
            continue;
        char path[SEED_PATH_SIZE], whole[SEED_PATH_SIZE];
        snprintf(path, sizeof path, "%.140s.Grants", a->path);
        seed_item_path(whole, path, i);
        return seed_bad(a->r, nodes->items[i].line, whole, "%s", call->detail ? call->detail : fault->code);
    }
    return list->n <= KMS_GRANTS_PER_KEY ||
           seed_bad_member(a->r, a->map, a->path, "Grants", "are more than %d", KMS_GRANTS_PER_KEY);
}

static bool read_aliases(struct adding *a)
{
    const struct span_list *names = &a->p->aliases;
    char path[SEED_PATH_SIZE];
    snprintf(path, sizeof path, "%.140s.Aliases", a->path);
    if (names->n > KMS_ALIASES_PER_KEY)
        return seed_bad_member(a->r, a->map, a->path, "Aliases", "are more than %d", KMS_ALIASES_PER_KEY);
    const struct doc *nodes = doc_member(a->map, "Aliases");
    for (size_t i = 0; i < names->n; i++) {
        int line = nodes->kind == DOC_LIST ? nodes->items[i].line : nodes->line;
        if (!seed_add_alias(a->r, line, path, names->v[i], a->key))
            return false;
    }
    return true;
}

static struct seed_key *new_key(struct seed_reader *r)
{
    struct seed *seed = r->seed;
    if (seed->keys_n == r->keys_room) {
        r->keys_room = r->keys_room ? 2 * r->keys_room : 16;
        seed->keys = realloc(seed->keys, r->keys_room * sizeof *seed->keys);
        if (!seed->keys)
            abort();
    }
    seed->keys[seed->keys_n] = (struct seed_key){0};
    return &seed->keys[seed->keys_n++];
}

bool seed_add_key(struct seed_reader *r, const struct doc *map, const char *path, struct seed_key_params *params)
{
    struct adding a = {.r = r, .map = map, .path = path, .p = params, .key = new_key(r)};
    a.key->line = map->line;
    a.key->description = own_span(r, params->create.description);
    a.key->disabled = params->enabled.set && !params->enabled.v;
    bool ok = read_place(&a) && read_kind(&a) && read_rotation(&a) && read_policy(&a) && read_tags(&a) &&
              read_grants(&a) && read_aliases(&a);
    arena_reset(&r->call.arena);
    r->call.detail = NULL;
    return ok;
}

bool seed_add_alias(struct seed_reader *r, int line, const char *path, struct span name, const struct seed_key *key)
{
    struct seed *seed = r->seed;
    char text[512];
    const struct fault *fault = alias_check_name(name, text, sizeof text);
    if (fault)
        return seed_bad(r, line, path, "%s", *text ? text : "alias/aws/ is AWS's own");
    if (!alias_matches(name) || name.n > 256)
        return seed_bad(r, line, path, "an alias has at most 256 characters of a-z A-Z 0-9 / _ -");
    if (seed->aliases_n == r->aliases_room) {
        r->aliases_room = r->aliases_room ? 2 * r->aliases_room : 16;
        seed->aliases = realloc(seed->aliases, r->aliases_room * sizeof *seed->aliases);
        if (!seed->aliases)
            abort();
    }
    struct seed_alias alias = {.line = line, .name = own(r, name), .key_arn = key->arn};
    alias.arn = make_arn(r, key, alias.name);
    int other = take_name(r, alias.arn, line);
    if (other)
        return seed_bad(r, line, path, "%s is also the alias of line %d", alias.name, other);
    seed->aliases[seed->aliases_n++] = alias;
    return true;
}
