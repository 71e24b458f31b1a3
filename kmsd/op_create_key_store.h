// CreateCustomKeyStore and UpdateCustomKeyStore: parameters and leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/op_key_store.h"
#include "kmsd/ops.h"

struct xks_credential_param {
    struct span access_key_id, secret;
};

// What a key store is described by; p NULL: not said.
struct key_store_terms {
    struct span name, cluster_id, trust_anchor, password, type;
    struct span endpoint, path, vpc_service, vpc_owner, connectivity;
    struct xks_credential_param credential;
    bool credential_set;
};

struct create_key_store_params {
    struct kms_params common;
    struct key_store_terms terms;
    const struct key_store *made;
};

struct update_key_store_params {
    struct kms_params common;
    struct span id;
    struct key_store_terms terms;
    struct key_store_told told;
};

extern const struct param create_key_store_rows[], update_key_store_rows[];

MUST_CHECK const struct fault *create_key_store(struct call *call);
MUST_CHECK const struct fault *update_key_store(struct call *call);
void create_key_store_trail_response(struct json_write *w, struct call *call);
void key_store_params_trail(struct json_write *w, struct call *call); // requestParameters of either
bool update_key_store_trail(struct json_write *w, struct call *call);
