// What the files of SigV4 share; nobody else includes it.
#pragma once

#include "common/auth/sigv4.h"

// The signing key, from the cache or derived and remembered. cache may be NULL.
void sigv4_cached_key(struct sigv4_cache *cache, struct span access_key, struct span secret, struct span date,
                      struct span region, struct span service, unsigned char out[32]);
