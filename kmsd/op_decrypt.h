// Decrypt and ReEncrypt: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ciphertext.h"
#include "kmsd/key.h"
#include "kmsd/ops.h"

// A ciphertext in a request. What KMS finds out about it is filled by the resolver.
struct source {
    struct span blob;
    struct span key_id; // as the caller named it; p NULL: the ciphertext says
    struct span algorithm;
    struct span_list modifiers; // DryRunModifiers
    struct ciphertext parsed;
    const struct key_material *material; // NULL: no ciphertext that was made here
    struct key *key;                     // the one to ask for rights
};

struct decrypt_params {
    struct kms_params common;
    struct source source;
    const json_t *recipient;
};

struct re_encrypt_params {
    struct kms_params common; // key_id: DestinationKeyId; context: the destination's
    struct source source;
    struct str_map source_context;
    struct span algorithm; // the destination's
};

extern const struct param decrypt_rows[], re_encrypt_rows[];

MUST_CHECK const struct fault *decrypt_resolve(struct call *call);
MUST_CHECK const struct fault *decrypt_authorize(struct call *call);
MUST_CHECK const struct fault *decrypt(struct call *call);
MUST_CHECK const struct fault *re_encrypt_resolve(struct call *call);
MUST_CHECK const struct fault *re_encrypt_authorize(struct call *call);
MUST_CHECK const struct fault *re_encrypt(struct call *call);
bool re_encrypt_trail(struct json_write *w, struct call *call);
