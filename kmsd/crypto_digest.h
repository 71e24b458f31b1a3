// The library's hash functions by name, each fetched once: fetching costs more than hashing a short message.
#pragma once

#include <openssl/types.h>

// "SHA224", "SHA256", "SHA384", "SHA512" or "SM3"; belongs to this file. NULL: the library does not have it. Any
// thread.
const EVP_MD *crypto_digest(const char *name);
