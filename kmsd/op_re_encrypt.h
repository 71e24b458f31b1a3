// ReEncrypt: parameters and leaf, for its row in ops.c.
#pragma once

#include "kmsd/source.h"

struct re_encrypt_params {
    struct kms_params common; // key_id: DestinationKeyId; context: the destination's
    struct source source;
    struct str_map source_context;
    struct span algorithm; // the destination's
};

extern const struct param re_encrypt_rows[];

MUST_CHECK const struct fault *re_encrypt_resolve(struct call *call);
MUST_CHECK const struct fault *re_encrypt_authorize(struct call *call);
MUST_CHECK const struct fault *re_encrypt(struct call *call);
bool re_encrypt_trail(struct json_write *w, struct call *call);
