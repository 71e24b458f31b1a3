// Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateRandom: parameters and leaves, for their rows in
// ops.c; and what op_decrypt.c shares.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ciphertext.h"
#include "kmsd/key.h"
#include "kmsd/ops.h"

struct encrypt_params {
    struct kms_params common;
    struct span plaintext, algorithm;
};

struct data_key_params {
    struct kms_params common;
    struct opt_int bytes;
    struct span spec;
    const json_t *recipient;
};

struct random_params {
    struct kms_params common;
    struct opt_int bytes;
    struct span custom_key_store_id;
    const json_t *recipient;
};

extern const struct param encrypt_rows[], generate_data_key_rows[], generate_data_key_without_plaintext_rows[],
    generate_random_rows[];

MUST_CHECK const struct fault *generate_data_key_resolve(struct call *call);
MUST_CHECK const struct fault *encrypt(struct call *call);
MUST_CHECK const struct fault *generate_data_key(struct call *call);
MUST_CHECK const struct fault *generate_data_key_without_plaintext(struct call *call);
MUST_CHECK const struct fault *generate_random(struct call *call);

extern const char *const encryption_algorithms[]; // the model's enum
// Only SYMMETRIC_DEFAULT works with a symmetric key; an absent algorithm means it.
MUST_CHECK const struct fault *crypto_check_algorithm(struct call *call, const struct key *key, struct span algorithm);
// The canonical form of a context; ValidationException when it is too long. buf_done() is the caller's.
MUST_CHECK const struct fault *crypto_context(struct call *call, const struct str_map *context, struct buf *canonical);
// Seals under the key's current material; writes the blob as the named member of the reply.
void crypto_seal(struct call *call, const struct key *key, struct span canonical, struct span plaintext,
                 const char *member);
// Recipient (Nitro enclaves) is not built.
MUST_CHECK const struct fault *crypto_no_recipient(struct call *call, const json_t *recipient);
// additionalEventData {"keyMaterialId"} of a successful call about call->subject2, a struct key_material.
bool crypto_trail_material(struct json_write *w, struct call *call);
