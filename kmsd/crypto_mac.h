// HMAC (RFC 2104) of the API's MAC algorithms.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define MAC_SIZE_MAX 64

// algorithm: "HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384" or "HMAC_SHA_512". False: none of them, or the library
// failed. mac gets *n bytes.
MUST_CHECK bool crypto_mac(struct span algorithm, struct span key, struct span message, unsigned char mac[MAC_SIZE_MAX],
                           size_t *n);
