// Keys in memory: making and changing. Their material is key_material.c's, showing key_metadata.c's, storing
// key_record.c's, finding keyring.c's.
#include "kmsd/key.h"

#include <stdio.h>
#include <string.h>

#include "common/base/ids.h"
#include "kmsd/arn.h"
#include "kmsd/key_store.h"

static char *copy(struct span text)
{
    char *s = strndup(text.p ? text.p : "", text.n);
    if (!s)
        abort();
    return s;
}

struct key *key_new(const char *account, struct span region, const char *id)
{
    struct key *key = calloc(1, sizeof *key);
    char arn[KMS_ARN_SIZE], resource[64];
    int n = snprintf(resource, sizeof resource, "key/%s", id);
    if (!key || !arn_write(arn, region, account, (struct span){resource, (size_t)n}))
        abort();
    key->arn = copy(span_of(arn));
    key->id = strrchr(key->arn, '/') + 1;
    memcpy(key->account, account, sizeof key->account);
    snprintf(key->region, sizeof key->region, "%.*s", (int)region.n, region.p);
    key->spec = &key_specs[0];
    key->description = copy((struct span){"", 0});
    return key;
}

void key_free(struct key *key, struct policy_pool *policies)
{
    if (!key)
        return;
    grant_set_done(&key->grants);
    for (size_t i = 0; i < key->materials_n; i++)
        material_free(key->materials[i]);
    for (size_t i = 0; i < key->tags_n; i++) {
        free(key->tags[i].key);
        free(key->tags[i].value);
    }
    policy_pool_put(policies, key->policy);
    ptr_vec_done(&key->aliases);
    last_use_free(&key->last_use);
    free(key->materials);
    free(key->tags);
    free(key->description);
    free(key->key_store_id);
    free(key->xks_key_id);
    free(key->arn);
    free(key);
}

enum key_state key_shown_state(const struct key *key)
{
    bool cut_off = key->key_store && key->key_store->state != STORE_CONNECTED;
    return cut_off && (key->state == KEY_ENABLED || key->state == KEY_DISABLED) ? KEY_UNAVAILABLE : key->state;
}

struct key_material *key_current(const struct key *key)
{
    for (size_t i = key->materials_n; i > 0; i--)
        if (key->materials[i - 1]->state == MATERIAL_CURRENT)
            return key->materials[i - 1];
    return NULL;
}

struct key_material *key_material_by_id(const struct key *key, struct span material_id)
{
    for (size_t i = 0; i < key->materials_n; i++)
        if (span_is(material_id, key->materials[i]->material_id))
            return key->materials[i];
    return NULL;
}

bool key_wants_material(const struct key *key)
{
    if (key->origin != ORIGIN_EXTERNAL)
        return false;
    for (size_t i = 0; i < key->materials_n; i++)
        if (material_is_permanent(key->materials[i]) && key->materials[i]->bytes.n == 0)
            return true;
    return !key_current(key);
}

struct key_material *key_add_material(struct key *key, struct rng *rng, struct secret *bytes, enum material_state state,
                                      int64_t now_ns)
{
    struct key_material *m = calloc(1, sizeof *m);
    struct key_material **list = realloc(key->materials, (key->materials_n + 1) * sizeof *list);
    if (!m || !list)
        abort();
    rng_id(rng, m->backing_id, sizeof m->backing_id);
    id_hex(rng, 32, m->material_id);
    secret_take(&m->bytes, bytes);
    m->created_ns = now_ns;
    m->state = state;
    m->key = key;
    key->materials = list;
    key->materials[key->materials_n++] = m;
    return m;
}

void key_set_description(struct key *key, struct span text)
{
    free(key->description);
    key->description = copy(text);
}

void key_set_text(char **to, struct span text)
{
    free(*to);
    *to = text.n ? copy(text) : NULL;
}

size_t key_tag_after(const struct key *key, struct span after)
{
    size_t i = 0;
    while (i < key->tags_n && span_cmp(span_of(key->tags[i].key), after) <= 0)
        i++;
    return i;
}

const struct tag *key_tag(const struct key *key, struct span name)
{
    size_t i = key_tag_after(key, name);
    return i > 0 && span_is(name, key->tags[i - 1].key) ? &key->tags[i - 1] : NULL;
}

void key_set_tag(struct key *key, struct span name, struct span value)
{
    size_t at = key_tag_after(key, name);
    if (at > 0 && span_is(name, key->tags[at - 1].key)) {
        free(key->tags[at - 1].value);
        key->tags[at - 1].value = copy(value);
        return;
    }
    struct tag *tags = realloc(key->tags, (key->tags_n + 1) * sizeof *tags);
    if (!tags)
        abort();
    memmove(tags + at + 1, tags + at, (key->tags_n - at) * sizeof *tags);
    tags[at] = (struct tag){copy(name), copy(value)};
    key->tags = tags;
    key->tags_n++;
}

void key_remove_tag(struct key *key, struct span name)
{
    size_t at = key_tag_after(key, name);
    if (at == 0 || !span_is(name, key->tags[at - 1].key))
        return;
    free(key->tags[at - 1].key);
    free(key->tags[at - 1].value);
    memmove(key->tags + at - 1, key->tags + at, (key->tags_n - at) * sizeof *key->tags);
    key->tags_n--;
}
