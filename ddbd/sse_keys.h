// The key hierarchy's hands: table keys under the owned key, data encryption keys under table keys.
#pragma once

#include <stdbool.h>

#include "common/base/secret.h"
#include "ddbd/table_info.h"

// A new table key under ddbd's own key: fills key->wrapped, and the plaintext.
MUST_CHECK bool sse_keys_make_owned(const struct table_info *t, struct table_key *key, const struct secret *owned_key,
                                    struct secret *table_key);
MUST_CHECK bool sse_keys_open_owned(const struct table_info *t, const struct table_key *key,
                                    const struct secret *owned_key, struct secret *table_key);
// Fills key->wrapped_dek.
MUST_CHECK bool sse_keys_wrap_dek(const struct table_info *t, struct table_key *key, struct span table_key,
                                  struct span dek);
MUST_CHECK bool sse_keys_open_dek(const struct table_info *t, const struct table_key *key, struct span table_key,
                                  struct secret *dek);
