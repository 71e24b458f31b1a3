// AES-256-GCM with a fresh random nonce for each seal, for page_*.c only. One thread at a time.
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

#define PAGE_SEAL_NONCE 12
#define PAGE_SEAL_TAG 16
#define PAGE_SEAL_SIZE (PAGE_SEAL_NONCE + PAGE_SEAL_TAG)

struct page_seal {
    EVP_CIPHER_CTX *encrypt, *decrypt;
    unsigned char nonces[64 * PAGE_SEAL_NONCE]; // drawn together
    size_t nonces_left;
};

// False when memory is short; the key's schedule is in the contexts only, and page_seal_done() wipes it.
bool page_seal_init(struct page_seal *s, const unsigned char key[32]);
void page_seal_done(struct page_seal *s);

// Two parts of one message (the second may be empty), encrypted to the same places in out; nonce and tag go to trailer.
bool page_seal_close(struct page_seal *s, struct span aad, struct span part1, unsigned char *out1, struct span part2,
                     unsigned char *out2, unsigned char trailer[PAGE_SEAL_SIZE]);
// The reverse, in place. False when any byte, the AAD or the key is not what it was; the parts are then useless.
bool page_seal_open(struct page_seal *s, struct span aad, unsigned char *part1, size_t n1, unsigned char *part2,
                    size_t n2, const unsigned char trailer[PAGE_SEAL_SIZE]);
