// CreateKey in a custom key store: what op_create_key.c asks about it.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/keyring.h"
#include "kmsd/op_create_key.h"

// Whether Origin, CustomKeyStoreId, XksKeyId and what else is said of the key fit together.
MUST_CHECK const struct fault *create_in_store_check(struct call *call, const struct create_key_params *p);
// Finds the key store, if one is named, and fills origin, key_store and xks_key_id. May wait for its proxy, which is
// asked about the external key (xks_wait.h).
MUST_CHECK const struct fault *create_in_store(struct call *call, const struct create_key_params *p,
                                               struct key_draft *draft);
