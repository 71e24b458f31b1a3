// The change feed: what may take somebody's access to a key away or give it back, in order, for readers that keep
// decisions for a while (ddbd's --key-cache=strict). The last few thousand changes are kept.
//
//   GET /_kmsd/changes?after=11&epoch=5f0c…  (signed by the service credential)
//     -> {"epoch":"5f0c…","last":12,"reset":false,
//         "changes":[{"sequence":12,"kind":"GrantRetired","keyId":"<key ARN>","grantId":"<64 hex>"}]}
//
// epoch is another one for each run of kmsd and after each reload of the principals. reset true: the reader is too far
// behind, or knew another epoch, and must drop everything it kept; it goes on with after=last. Kinds: see
// change_kind_names[].
#pragma once

#include <stdint.h>

#include "common/base/json_write.h"
#include "common/base/rng.h"

enum change_kind {
    CHANGE_KEY_ENABLED,
    CHANGE_KEY_DISABLED,
    CHANGE_KEY_DELETION_SCHEDULED,
    CHANGE_KEY_DELETION_CANCELLED,
    CHANGE_KEY_DELETED,
    CHANGE_KEY_POLICY,
    CHANGE_KEY_MATERIAL_IMPORTED,
    CHANGE_KEY_MATERIAL_DELETED,
    CHANGE_GRANT_RETIRED,
    CHANGE_GRANT_REVOKED,
    CHANGE_KINDS
};
extern const char *const change_kind_names[CHANGE_KINDS];

struct changes;

// Thread-safe once made. capacity: how many changes are kept.
struct changes *changes_new(struct rng *rng, size_t capacity);
void changes_free(struct changes *c);
// grant_id NULL for changes of keys.
void changes_add(struct changes *c, enum change_kind kind, const char *key_arn, const char *grant_id);
// A new epoch: every reader drops all that it kept. For changes that are not one key's (other principals, other
// policies of theirs).
void changes_reset(struct changes *c, struct rng *rng);
uint64_t changes_last(struct changes *c);
// Writes the reply for a reader that has seen everything up to `after` of `epoch` (empty: of any).
void changes_write(struct changes *c, uint64_t after, struct span epoch, struct json_write *w);
