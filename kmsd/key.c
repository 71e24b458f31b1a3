// Keys in memory: making, changing, showing. Storing is key_record.c's, finding keyring.c's.
#include "kmsd/key.h"

#include <stdio.h>
#include <string.h>

#include "common/base/ids.h"
#include "common/base/time_format.h"
#include "kmsd/arn.h"

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

static void material_free(struct key_material *m)
{
    secret_done(&m->bytes);
    free(m);
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
    free(key->materials);
    free(key->tags);
    free(key->description);
    free(key->arn);
    free(key);
}

struct key_material *key_current(const struct key *key)
{
    return key->materials[key->materials_n - 1];
}

struct key_material *key_add_material(struct key *key, struct rng *rng, int64_t now_ns)
{
    struct key_material *m = calloc(1, sizeof *m);
    struct key_material **list = realloc(key->materials, (key->materials_n + 1) * sizeof *list);
    if (!m || !list || !secret_init(&m->bytes, 32))
        abort();
    rng_id(rng, m->backing_id, sizeof m->backing_id);
    id_hex(rng, 32, m->material_id);
    rng_secret(m->bytes.p, m->bytes.n);
    m->created_ns = now_ns;
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

static void write_names(struct json_write *w, const char *key, const char *const *names)
{
    json_key(w, key);
    json_arr_begin(w);
    for (; *names; names++)
        json_cstr(w, *names);
    json_arr_end(w);
}

void key_write_metadata(const struct key *key, struct json_write *w)
{
    json_obj_begin(w);
    json_kcstr(w, "AWSAccountId", key->account);
    json_kcstr(w, "KeyId", key->id);
    json_kcstr(w, "Arn", key->arn);
    json_kepoch(w, "CreationDate", key->created_ns);
    json_kbool(w, "Enabled", key->state == KEY_ENABLED);
    json_kcstr(w, "Description", key->description);
    json_kcstr(w, "KeyUsage", key_usage_names[key->usage]);
    json_kcstr(w, "KeyState", key_state_names[key->state]);
    if (key->state == KEY_PENDING_DELETION)
        json_kepoch(w, "DeletionDate", key->deletion_ns);
    json_kcstr(w, "Origin", "AWS_KMS");
    json_kcstr(w, "KeyManager", key->manager == KEY_MANAGER_AWS ? "AWS" : "CUSTOMER");
    json_kcstr(w, "CustomerMasterKeySpec", key->spec->name);
    json_kcstr(w, "KeySpec", key->spec->name);
    write_names(w, "EncryptionAlgorithms", key->spec->encryption_algorithms);
    json_kbool(w, "MultiRegion", false);
    json_kcstr(w, "CurrentKeyMaterialId", key_current(key)->material_id);
    json_obj_end(w);
}

void key_write_trail_metadata(const struct key *key, struct json_write *w)
{
    char date[TIME_JAVA_SIZE];
    json_obj_begin(w);
    json_kcstr(w, "aWSAccountId", key->account);
    json_kcstr(w, "keyId", key->id);
    json_kcstr(w, "arn", key->arn);
    time_java(key->created_ns, date);
    json_kcstr(w, "creationDate", date);
    json_kbool(w, "enabled", key->state == KEY_ENABLED);
    json_kcstr(w, "description", key->description);
    json_kcstr(w, "keyUsage", key_usage_names[key->usage]);
    json_kcstr(w, "keyState", key_state_names[key->state]);
    json_kcstr(w, "origin", "AWS_KMS");
    json_kcstr(w, "keyManager", key->manager == KEY_MANAGER_AWS ? "AWS" : "CUSTOMER");
    json_kcstr(w, "customerMasterKeySpec", key->spec->name);
    json_kcstr(w, "keySpec", key->spec->name);
    write_names(w, "encryptionAlgorithms", key->spec->encryption_algorithms);
    json_kbool(w, "multiRegion", false);
    json_kcstr(w, "currentKeyMaterialId", key_current(key)->material_id);
    json_obj_end(w);
}
