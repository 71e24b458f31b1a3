// SHA-256 and HMAC-SHA-256 with OpenSSL contexts fetched once a thread.
#pragma once

#include <stddef.h>

#include "common/base/buf.h"

#define SHA256_SIZE 32

void sha256(struct span bytes, unsigned char out[SHA256_SIZE]);
void sha256_hex(struct span bytes, char out[2 * SHA256_SIZE + 1]);
void hmac_sha256(struct span key, struct span bytes, unsigned char out[SHA256_SIZE]);
// Frees this thread's contexts; call before a thread that hashed ends.
void digest_thread_done(void);
