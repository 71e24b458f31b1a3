// The ciphertext blob of symmetric KMS keys, in AWS's layout:
//   01 02 xx 00 78 | 32 backing key id | 01 | 16 message nonce | 4 length | CMS EncryptedData (cms_envelope.h)
// The content is an 11-byte inner header, the plaintext and a 16-byte GCM tag. Everything before the content and the
// canonical encryption context are authenticated. Each message has a key of its own, derived from backing key and
// nonce.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define BACKING_ID_SIZE 32
#define CIPHERTEXT_CMS_AT 58

// What every blob begins with, up to and including the backing key id: appended, and read (NULL: another start).
void ciphertext_write_start(const unsigned char backing_id[BACKING_ID_SIZE], struct buf *out);
const unsigned char *ciphertext_start(struct span blob);

// A blob taken apart; spans into it.
struct ciphertext {
    const unsigned char *backing_id; // BACKING_ID_SIZE bytes
    const unsigned char *nonce;
    const unsigned char *iv;
    struct span clear;   // what precedes the content
    struct span content; // sealed inner header, plaintext, tag
    size_t plaintext_n;
};

// False unless the bytes are a blob of exactly this form (nothing is authenticated yet).
MUST_CHECK bool ciphertext_parse(struct span blob, struct ciphertext *out);
// Bytes of the blob around a plaintext of n bytes (at most KMS_PLAINTEXT_MAX).
size_t ciphertext_size(size_t plaintext_n);
// key: the 32 bytes of key material; context: the canonical encryption context. out has ciphertext_size() bytes.
void ciphertext_seal(const unsigned char backing_id[BACKING_ID_SIZE], const unsigned char *key, struct span context,
                     struct span plaintext, unsigned char *out);
// plaintext has c->plaintext_n bytes. False (and nothing is written but zeros) when anything of blob or context differs
// from what was sealed.
MUST_CHECK bool ciphertext_open(const struct ciphertext *c, const unsigned char *key, struct span context,
                                unsigned char *plaintext);
