// Decrypt: parameters and leaf, for its row in ops.c.
#pragma once

#include "kmsd/source.h"

struct decrypt_params {
    struct kms_params common;
    struct source source;
};

extern const struct param decrypt_rows[];

MUST_CHECK const struct fault *decrypt_resolve(struct call *call);
MUST_CHECK const struct fault *decrypt_authorize(struct call *call);
MUST_CHECK const struct fault *decrypt(struct call *call);
