// The request quotas of AWS KMS by name: an operation's own, or one that several share. Source: AWS KMS Developer
// Guide, "Request quotas for each AWS KMS API operation".
#pragma once

#include <stdbool.h>

#include "kmsd/key_spec.h"

#define QUOTA_SYMMETRIC "symmetric"           // cryptographic operations with symmetric and HMAC keys, GenerateRandom
#define QUOTA_KEY_STORE "custom-key-store"    // those with keys of one custom key store
#define QUOTA_KEY_PAIR "GenerateDataKeyPair:" // and a KeyPairSpec: both operations that make pairs

// Calls per second that AWS allows an account in a Region (of a custom key store: all accounts); 0: no such quota.
double throttle_quota(const char *name, const char *region);
// The shared quota of cryptographic operations with keys of this kind.
const char *throttle_family(const struct key_spec *spec);
