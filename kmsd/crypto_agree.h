// Key agreement: the raw shared secret of elliptic curve Diffie-Hellman, which is the x coordinate in as many bytes as
// the curve's field has (NIST SP 800-56A, 5.7.1.2; every curve here has the cofactor 1). For keys of type EC and SM2.
// All functions may be called by several threads at once.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define AGREE_SECRET_MAX 66 // of P-521

// The other side's public key, SubjectPublicKeyInfo in DER. NULL: it is none, or not a point of own's curve, or the
// curve is not named but spelt out. EVP_PKEY_free() is the caller's.
EVP_PKEY *agree_peer(EVP_PKEY *own, struct span spki);
// False: the library failed. peer must come from agree_peer().
MUST_CHECK bool agree_derive(EVP_PKEY *own, EVP_PKEY *peer, unsigned char secret[AGREE_SECRET_MAX], size_t *n);
