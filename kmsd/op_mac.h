// GenerateMac and VerifyMac: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/ops.h"

struct mac_params {
    struct kms_params common;
    struct span message, algorithm;
    struct span mac; // of VerifyMac
};

extern const struct param generate_mac_rows[], verify_mac_rows[];
MUST_CHECK const struct fault *generate_mac(struct call *call);
MUST_CHECK const struct fault *verify_mac(struct call *call);
