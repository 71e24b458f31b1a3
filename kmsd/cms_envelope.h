// The CMS EncryptedData envelope (RFC 5652 section 8; AES-256-GCM parameters: RFC 5084) that AWS KMS puts around what
// it encrypts: SEQ{pkcs7-encryptedData,[0]{SEQ{0,SEQ{pkcs7-data,SEQ{aes256-GCM,SEQ{IV,16}},[0] content}}}}, DER.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

#define CMS_IV_SIZE 12
#define CMS_CONTENT_MAX 8192

struct cms_envelope {
    size_t size;       // of the whole envelope
    size_t iv_at;      // offset of the IV
    size_t content_at; // offset of the content, which ends the envelope
};

// The places in an envelope around content_n bytes (at most CMS_CONTENT_MAX).
struct cms_envelope cms_layout(size_t content_n);
// Writes all but IV and content; out has layout.size bytes.
struct cms_envelope cms_write(size_t content_n, unsigned char *out);
// True when bytes are such an envelope, in exactly the form that cms_write() gives it.
bool cms_parse(struct span bytes, struct cms_envelope *out);
