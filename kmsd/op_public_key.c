// GetPublicKey.
#include "kmsd/op_public_key.h"

#include "kmsd/faults.h"
#include "kmsd/key.h"
#include "kmsd/key_type.h"

const struct param get_public_key_rows[] = {ROW_KEY_ID, ROW_GRANT_TOKENS, {NULL}};

const struct fault *get_public_key(struct call *call)
{
    const struct key *key = call->subject;
    struct json_write *w = &call->out;
    struct buf der;
    if (!key->spec->type->asymmetric)
        return &fault_unsupported;
    EVP_PKEY *pkey = material_pkey(key_current(key));
    buf_init(&der, KMS_PUBLIC_KEY_MAX);
    if (!pkey || !key_type_public(pkey, &der)) {
        buf_done(&der);
        return &fault_internal;
    }
    json_obj_begin(w);
    json_kcstr(w, "CustomerMasterKeySpec", key->spec->name);
    json_kcstr(w, "KeyId", key->arn);
    json_kcstr(w, "KeySpec", key->spec->name);
    json_kcstr(w, "KeyUsage", key_usage_names[key->usage]);
    json_key(w, "PublicKey");
    json_base64(w, buf_span(&der));
    key_write_algorithms(key, w);
    json_obj_end(w);
    buf_done(&der);
    return NULL;
}
