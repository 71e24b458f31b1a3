// Rotation of key material: what a key's dates are, and how one material takes the place of another. Whoever calls
// holds the keyring's write lock (for what only reads, its read lock) and saves the key. Source: AWS KMS Developer
// Guide, "Rotate AWS KMS keys"; API reference, EnableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand.
#pragma once

#include "kmsd/key.h"

#define ROTATION_DAYS_USUAL 365 // when no period is given; also that of AWS managed keys

// Automatic rotation from now on: the first in `days` days.
void rotation_enable(struct key *key, uint32_t days, int64_t now_ns);
void rotation_disable(struct key *key);
// The key is enabled again. A date that passed meanwhile is made up for now, once.
void rotation_resume(struct key *key, int64_t now_ns);
// Whether GetKeyRotationStatus says so: not while the key waits for its deletion.
bool rotation_enabled(const struct key *key);
// When the key is to be rotated next: INT64_MIN, whatever the clock shows, when it was asked for.
int64_t rotation_due(const struct key *key);

// The imported material that waits for RotateKeyOnDemand. NULL: none.
struct key_material *rotation_pending(const struct key *key);
// m, a material of the key, encrypts from now on; the one that did only decrypts.
void rotation_make_current(struct key *key, struct key_material *m, enum rotation_type type, int64_t at_ns);
