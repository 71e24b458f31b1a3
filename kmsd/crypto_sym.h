// AES-256-GCM and the key derivation of messages, with OpenSSL's objects fetched once a thread.
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fault.h"

#define SYM_KEY_SIZE 32
#define SYM_IV_SIZE 12
#define SYM_TAG_SIZE 16

// One key for one message (NIST SP 800-108, counter mode, HMAC-SHA-256, one block): label says what it is for.
void sym_derive(const unsigned char key[SYM_KEY_SIZE], const char *label, struct span context,
                unsigned char out[SYM_KEY_SIZE]);

// out gets head.n + in.n bytes of ciphertext and the tag. The input is `head` followed by `in`, so that a header can be
// put before a plaintext without copying it; the authenticated data is aad[0] followed by aad[1]. Aborts without AES.
void sym_seal(const unsigned char key[SYM_KEY_SIZE], const unsigned char iv[SYM_IV_SIZE], const struct span aad[2],
              struct span head, struct span in, unsigned char *out);
// in is ciphertext and tag; out gets in.n - SYM_TAG_SIZE bytes. False, with out wiped, when the tag does not fit.
MUST_CHECK bool sym_open(const unsigned char key[SYM_KEY_SIZE], const unsigned char iv[SYM_IV_SIZE],
                         const struct span aad[2], struct span in, unsigned char *out);
