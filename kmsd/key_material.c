// Key material in memory. Which material a key has is key.c's and the operations'.
#include <openssl/evp.h>
#include <stdlib.h>

#include "common/base/digest.h"
#include "common/base/encode.h"
#include "kmsd/key.h"
#include "kmsd/key_type.h"

const char *const material_state_names[MATERIAL_STATES] = {
    [MATERIAL_CURRENT] = "CURRENT",
    [MATERIAL_NON_CURRENT] = "NON_CURRENT",
    [MATERIAL_PENDING_ROTATION] = "PENDING_ROTATION",
    [MATERIAL_PENDING_MULTI_REGION_IMPORT_AND_ROTATION] = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
};

const char *const rotation_type_names[ROTATION_TYPES] = {
    [ROTATION_NONE] = NULL,
    [ROTATION_AUTOMATIC] = "AUTOMATIC",
    [ROTATION_ON_DEMAND] = "ON_DEMAND",
};

// Loading an RSA key takes as long as using it, and most keys of a large keyring are never used: so it is done once,
// and late. Keys are read under a read lock, so two threads may come at the same time: the first one's object stays.
EVP_PKEY *material_pkey(struct key_material *m)
{
    EVP_PKEY *pkey = __atomic_load_n(&m->pkey, __ATOMIC_ACQUIRE), *none = NULL;
    if (pkey)
        return pkey;
    pkey = key_type_load(secret_span(&m->bytes));
    if (!pkey || __atomic_compare_exchange_n(&m->pkey, &none, pkey, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return pkey;
    EVP_PKEY_free(pkey);
    return none;
}

// What tells a key from others: the secret, or the public half of a pair.
static bool put_identity(const struct key_spec *spec, struct span material, struct buf *b)
{
    if (!spec->type->asymmetric)
        return buf_append(b, material.p, material.n);
    EVP_PKEY *pkey = key_type_load(material);
    bool ok = pkey && key_type_public(pkey, b);
    EVP_PKEY_free(pkey);
    return ok;
}

bool material_ids(const struct key_spec *spec, const char *key_id, struct span material,
                  unsigned char backing_id[BACKING_ID_SIZE], char material_id[KEY_MATERIAL_ID_SIZE])
{
    unsigned char mac[SHA256_SIZE];
    struct buf b;
    buf_init(&b, 16384);
    buf_append(&b, key_id, strlen(key_id) + 1);
    bool ok = put_identity(spec, material, &b);
    hmac_sha256(SPAN("kmsd backing key id"), buf_span(&b), backing_id);
    hmac_sha256(SPAN("kmsd key material id"), buf_span(&b), mac);
    hex_encode(mac, sizeof mac, material_id);
    buf_wipe(&b);
    return ok;
}

bool material_is_permanent(const struct key_material *m)
{
    return m->state == MATERIAL_CURRENT || m->state == MATERIAL_NON_CURRENT;
}

void material_wipe(struct key_material *m)
{
    EVP_PKEY_free(m->pkey);
    m->pkey = NULL;
    secret_done(&m->bytes);
}

void material_free(struct key_material *m)
{
    material_wipe(m);
    free(m->description);
    free(m);
}
