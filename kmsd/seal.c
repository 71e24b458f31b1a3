// For encryption.c and source.c. The forms are ciphertext.c's and xks_message.c's.
#include "kmsd/seal.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/key_store.h"
#include "kmsd/ops.h"

bool sealed_parse(struct span blob, struct sealed *out)
{
    *out = (struct sealed){0};
    if (ciphertext_parse(blob, &out->own)) {
        out->backing_id = out->own.backing_id;
        return true;
    }
    out->external = xks_blob_parse(blob, &out->outer);
    out->backing_id = out->outer.backing_id;
    return out->external;
}

// ---- sealing ----

static struct span seal_here(struct call *call, const struct key_material *m, struct span context,
                             struct span plaintext)
{
    size_t n = ciphertext_size(plaintext.n);
    unsigned char *blob = arena_alloc(&call->arena, n);
    ciphertext_seal(m->backing_id, m->bytes.p, context, plaintext, blob);
    return (struct span){(char *)blob, n};
}

static const struct fault *seal_there(struct call *call, enum xks_slot slot, const struct key *key, struct span context,
                                      bool data_key, struct span *plaintext, struct span *blob)
{
    const struct key_material *m = key_current(key);
    const struct xks_reply *reply;
    struct buf b;
    xks_wait_plaintext(call, slot, plaintext);
    struct xks_request q = {.api = XKS_ENCRYPT,
                            .origin.key_arn = key->arn,
                            .xks_key_id = key->xks_key_id,
                            .context = context,
                            .plaintext = seal_here(call, m, context, *plaintext),
                            .integrity = data_key};
    const struct fault *fault = xks_wait(call, slot, XKS_USING, key->key_store, &q, &reply);
    if (fault)
        return fault;
    buf_init(&b, KMS_CIPHERTEXT_MAX);
    xks_blob_write(m->backing_id, &reply->sealed, &b);
    *blob = (struct span){arena_strndup(&call->arena, b.data, b.len), b.len};
    fault = buf_ok(&b) ? NULL : &fault_internal;
    buf_done(&b);
    return fault;
}

const struct fault *seal(struct call *call, enum xks_slot slot, const struct key *key, struct span context,
                         bool data_key, struct span *plaintext, struct span *blob)
{
    if (key->origin == ORIGIN_EXTERNAL_KEY_STORE)
        return seal_there(call, slot, key, context, data_key, plaintext, blob);
    *blob = seal_here(call, key_current(key), context, *plaintext);
    return NULL;
}

// ---- opening ----

static bool open_here(struct call *call, const struct ciphertext *c, const struct key_material *m, struct span context,
                      struct span *plaintext)
{
    unsigned char *to = call_secret_alloc(call, c->plaintext_n);
    *plaintext = (struct span){(char *)to, c->plaintext_n};
    return ciphertext_open(c, m->bytes.p, context, to);
}

static const struct fault *open_there(struct call *call, enum xks_slot slot, const struct sealed *s,
                                      const struct key_material *m, struct span context, struct span *plaintext)
{
    const struct key *key = m->key;
    const struct kms_params *p = call->params;
    const struct xks_reply *reply;
    struct ciphertext inner;
    *plaintext = (struct span){"", 0};
    if (p->dry_run.v) // asks nobody outside, so that nothing more can be known of the ciphertext
        return NULL;
    struct xks_request q = {.api = XKS_DECRYPT,
                            .origin.key_arn = key->arn,
                            .xks_key_id = key->xks_key_id,
                            .context = context,
                            .sealed = s->outer.sealed};
    const struct fault *fault = xks_wait(call, slot, XKS_USING, key->key_store, &q, &reply);
    if (fault)
        return fault;
    bool ok = ciphertext_parse(secret_span(&reply->bytes), &inner) &&
              memcmp(inner.backing_id, m->backing_id, BACKING_ID_SIZE) == 0 &&
              open_here(call, &inner, m, context, plaintext);
    return ok ? NULL : xks_fault(call, XKS_USING, XKS_WRONG_PLAINTEXT);
}

const struct fault *seal_open(struct call *call, enum xks_slot slot, const struct sealed *s,
                              const struct key_material *m, struct span context, struct span *plaintext)
{
    if (s->external != (m->key->origin == ORIGIN_EXTERNAL_KEY_STORE))
        return &fault_invalid_ciphertext;
    if (s->external)
        return open_there(call, slot, s, m, context, plaintext);
    return open_here(call, &s->own, m, context, plaintext) ? NULL : &fault_invalid_ciphertext;
}

// ---- trail ----

bool seal_trail(struct json_write *w, const struct key *key, const struct key_material *m)
{
    bool in_store = key && key->key_store_id;
    if (!in_store && !m)
        return false;
    if (!w)
        return true;
    if (in_store) {
        json_kcstr(w, "customKeyStoreId", key->key_store_id);
        json_kcstr(w, "xksKeyId", key->xks_key_id);
    } else {
        json_kcstr(w, "keyMaterialId", m->material_id);
    }
    return true;
}
