// GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct data_key_pair_params {
    struct kms_params common;
    struct span spec_name;
    const struct key_spec *spec; // set by the resolver
};

extern const struct param generate_data_key_pair_rows[], generate_data_key_pair_without_plaintext_rows[];

MUST_CHECK const struct fault *generate_data_key_pair_resolve(struct call *call);
MUST_CHECK const struct fault *generate_data_key_pair(struct call *call);
MUST_CHECK const struct fault *generate_data_key_pair_without_plaintext(struct call *call);
