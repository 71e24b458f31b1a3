// The CMS EnvelopedData (RFC 5652 section 6) in which AWS KMS answers an attested request: AES-256-CBC content, its key
// for one RSA key by RSAES-OAEP with SHA-256 (RFC 3560), named by the SHA-256 of its SubjectPublicKeyInfo. In AWS's own
// form, whose outer structures are of indefinite length: the AWS Nitro Enclaves SDK reads no other.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

// spki is the DER of pkey, an RSA key. False when the library fails or out is full.
MUST_CHECK bool cms_enveloped_data(struct span spki, EVP_PKEY *pkey, struct span plaintext, struct buf *out);
