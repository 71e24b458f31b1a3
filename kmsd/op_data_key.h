// GenerateDataKey and GenerateDataKeyWithoutPlaintext: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct data_key_params {
    struct kms_params common;
    struct opt_int bytes;
    struct span spec;
};

extern const struct param generate_data_key_rows[], generate_data_key_without_plaintext_rows[];

MUST_CHECK const struct fault *generate_data_key_resolve(struct call *call);
MUST_CHECK const struct fault *generate_data_key(struct call *call);
MUST_CHECK const struct fault *generate_data_key_without_plaintext(struct call *call);
