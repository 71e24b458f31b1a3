// Keys as stored records. The record's name is the key's ARN, which key_decode() takes apart again.
#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/ids.h"
#include "kmsd/arn.h"
#include "kmsd/key.h"
#include "kmsd/record.h"

#define VERSION 2       // 1 had no settles_ns
#define SEALED_MAX 8192 // the largest: ML-DSA-87 has nearly 5000 bytes of PKCS#8

// What the sealed material is bound to: another key's record cannot lend it.
static void seal_name(const struct key *key, const struct key_material *m, struct buf *name)
{
    buf_append_str(name, key->arn);
    buf_append(name, m->backing_id, sizeof m->backing_id);
}

static void encode_material(const struct key *key, const struct key_material *m, const struct root_key *root,
                            struct buf *out)
{
    struct buf name, sealed;
    unsigned char material_id[32];
    buf_init(&name, KMS_ARN_SIZE);
    buf_init(&sealed, SEALED_MAX);
    seal_name(key, m, &name);
    if (m->bytes.n > 0 && key->origin != ORIGIN_AWS_CLOUDHSM) // that lies in the cluster
        root_key_seal(root, buf_span(&name), secret_span(&m->bytes), &sealed);
    hex_decode(span_of(m->material_id), material_id, sizeof material_id);
    buf_append(out, m->backing_id, sizeof m->backing_id);
    buf_append(out, material_id, sizeof material_id);
    record_put_i64(out, m->created_ns);
    record_put_u8(out, (uint8_t)m->state);
    record_put_u8(out, (uint8_t)m->rotation);
    record_put_i64(out, m->rotated_ns);
    record_put_u8(out, m->expires);
    record_put_i64(out, m->valid_to_ns);
    record_put_text(out, m->description);
    record_put_bytes(out, buf_span(&sealed));
    if (!buf_ok(&sealed) || !buf_ok(&name))
        out->failed = true;
    buf_done(&sealed);
    buf_done(&name);
}

void key_encode(const struct key *key, const struct root_key *root, struct buf *out)
{
    record_put_u8(out, VERSION);
    record_put_text(out, key->spec->name);
    record_put_u8(out, (uint8_t)key->usage);
    record_put_u8(out, (uint8_t)key->state);
    record_put_u8(out, (uint8_t)key->manager);
    record_put_u8(out, (uint8_t)key->origin);
    record_put_u8(out, (uint8_t)key->multi_region);
    record_put_text(out, key->description);
    record_put_text(out, key->key_store_id);
    record_put_text(out, key->xks_key_id);
    record_put_i64(out, key->created_ns);
    record_put_i64(out, key->deletion_ns);
    record_put_u32(out, key->deletion_days);
    record_put_u8(out, key->rotates);
    record_put_u32(out, key->rotation_days);
    record_put_i64(out, key->next_rotation_ns);
    record_put_u32(out, key->on_demand_rotations);
    record_put_i64(out, key->on_demand_ns);
    record_put_i64(out, key->settles_ns);
    record_put_bytes(out, key->policy->text);
    record_put_u32(out, (uint32_t)key->tags_n);
    for (size_t i = 0; i < key->tags_n; i++) {
        record_put_text(out, key->tags[i].key);
        record_put_text(out, key->tags[i].value);
    }
    record_put_u32(out, (uint32_t)key->materials_n);
    for (size_t i = 0; i < key->materials_n; i++)
        encode_material(key, key->materials[i], root, out);
}

static bool unseal_material(struct key *key, struct key_material *m, struct span sealed, const struct root_key *root)
{
    struct buf name;
    if (sealed.n == 0) // deleted or expired
        return true;
    if (sealed.n <= ROOT_KEY_OVERHEAD || !secret_init(&m->bytes, sealed.n - ROOT_KEY_OVERHEAD))
        return false;
    buf_init(&name, KMS_ARN_SIZE);
    seal_name(key, m, &name);
    bool ok = root_key_unseal(root, buf_span(&name), sealed, m->bytes.p);
    buf_done(&name);
    return ok;
}

static bool decode_material(struct key *key, struct record_reader *r, const struct root_key *root, char *why,
                            size_t why_size)
{
    struct key_material *m = calloc(1, sizeof *m);
    unsigned char material_id[32];
    if (!m)
        abort();
    key->materials[key->materials_n++] = m;
    m->key = key;
    record_fixed(r, m->backing_id, sizeof m->backing_id);
    record_fixed(r, material_id, sizeof material_id);
    m->created_ns = record_i64(r);
    uint8_t state = record_u8(r), rotation = record_u8(r);
    m->rotated_ns = record_i64(r);
    m->expires = record_u8(r);
    m->valid_to_ns = record_i64(r);
    key_set_text(&m->description, record_bytes(r));
    struct span sealed = record_bytes(r);
    if (r->failed || state >= MATERIAL_STATES || rotation >= ROTATION_TYPES)
        return false;
    m->state = (enum material_state)state;
    m->rotation = (enum rotation_type)rotation;
    hex_encode(material_id, sizeof material_id, m->material_id);
    bool ok = unseal_material(key, m, sealed, root);
    if (!ok)
        snprintf(why, why_size, "the material of key %s cannot be unsealed with this root key", key->arn);
    return ok;
}

static void decode_tags(struct key *key, struct record_reader *r)
{
    uint32_t n = record_count(r, 8);
    key->tags = calloc(n ? n : 1, sizeof *key->tags);
    if (!key->tags)
        abort();
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        key->tags[i] = (struct tag){record_text(r), record_text(r)};
        key->tags_n++;
    }
}

static bool decode_body(struct key *key, struct record_reader *r, const struct root_key *root,
                        struct policy_pool *policies, char *why, size_t why_size)
{
    uint8_t version = record_u8(r);
    key->spec = key_spec_find(record_bytes(r));
    uint8_t usage = record_u8(r), state = record_u8(r), manager = record_u8(r), origin = record_u8(r),
            multi_region = record_u8(r);
    key_set_description(key, record_bytes(r));
    key_set_text(&key->key_store_id, record_bytes(r));
    key_set_text(&key->xks_key_id, record_bytes(r));
    key->created_ns = record_i64(r);
    key->deletion_ns = record_i64(r);
    key->deletion_days = record_u32(r);
    key->rotates = record_u8(r);
    key->rotation_days = record_u32(r);
    key->next_rotation_ns = record_i64(r);
    key->on_demand_rotations = record_u32(r);
    key->on_demand_ns = record_i64(r);
    key->settles_ns = version > 1 ? record_i64(r) : 0;
    struct span policy = record_bytes(r);
    if (r->failed || version < 1 || version > VERSION || !key->spec || usage >= KEY_USAGES || state >= KEY_STATES ||
        manager > KEY_MANAGER_AWS || origin >= KEY_ORIGINS || multi_region >= MULTI_REGIONS)
        return false;
    key->usage = (enum key_usage)usage;
    key->state = (enum key_state)state;
    key->manager = (enum key_manager)manager;
    key->origin = (enum key_origin)origin;
    key->multi_region = (enum multi_region)multi_region;
    key->policy = policy_pool_get(policies, policy, why, why_size);
    if (!key->policy)
        return false;
    decode_tags(key, r);
    uint32_t n = record_count(r, BACKING_ID_SIZE + 32 + 8 + 4);
    key->materials = calloc(n ? n : 1, sizeof *key->materials);
    if (!key->materials)
        abort();
    for (uint32_t i = 0; i < n; i++)
        if (!decode_material(key, r, root, why, why_size))
            return false;
    return record_done(r);
}

struct key *key_decode(struct span arn, struct span record, const struct root_key *root, struct policy_pool *policies,
                       char *why, size_t why_size)
{
    struct arn parts;
    struct record_reader r = {.rest = record};
    char account[13], id[KEY_ID_SIZE + 4];
    snprintf(why, why_size, "the record of key %.*s is damaged", (int)arn.n, arn.p);
    if (!arn_parse(arn, &parts) || !id_is_account(parts.account) || !span_starts(parts.resource, "key/") ||
        parts.resource.n - 4 >= sizeof id || parts.region.n >= 32)
        return NULL;
    snprintf(account, sizeof account, "%.*s", (int)parts.account.n, parts.account.p);
    snprintf(id, sizeof id, "%.*s", (int)parts.resource.n - 4, parts.resource.p + 4);
    struct key *key = key_new(account, parts.region, id);
    if (span_is(arn, key->arn) && decode_body(key, &r, root, policies, why, why_size))
        return key;
    key_free(key, policies);
    return NULL;
}
