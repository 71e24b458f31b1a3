// DescribeCustomKeyStores ConnectCustomKeyStore DisconnectCustomKeyStore DeleteCustomKeyStore: parameters and leaves,
// for their rows in ops.c; and what other operations ask of key stores. CreateCustomKeyStore and UpdateCustomKeyStore
// are op_create_key_store.h's.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/cloudhsm.h"
#include "kmsd/key_store.h"
#include "kmsd/list_page.h"
#include "kmsd/ops.h"

// What the trail tells about a key store that an operation was about, also when that is gone.
struct key_store_told {
    const char *name, *cluster_id;
};

struct key_store_params { // of Connect, Disconnect, Delete
    struct kms_params common;
    struct span id;
    struct key_store_told told;
};

struct describe_key_stores_params {
    struct list_params list;
    struct span id, name;
};

extern const struct param key_store_id_rows[], describe_key_stores_rows[];

MUST_CHECK const struct fault *describe_key_stores(struct call *call);
MUST_CHECK const struct fault *connect_key_store(struct call *call);
MUST_CHECK const struct fault *disconnect_key_store(struct call *call);
MUST_CHECK const struct fault *delete_key_store(struct call *call);
bool key_store_trail(struct json_write *w, struct call *call); // of struct key_store_params

// ---- for other operations ----

// CustomKeyStoreNotFoundException unless the caller's account has it in this Region.
MUST_CHECK const struct fault *key_store_find(struct call *call, struct span id, struct key_store **out);
// CustomKeyStoreInvalidStateException unless it is connected.
MUST_CHECK const struct fault *key_store_connected(struct call *call, const struct key_store *s);
// The exception for what is wrong with a cluster; NULL: nothing is.
MUST_CHECK const struct fault *key_store_cluster_fault(struct call *call, struct span cluster_id,
                                                       enum cluster_trouble trouble);
struct key_store_told key_store_tell(struct call *call, const struct key_store *s);
// additionalEventData of operations on key stores.
void key_store_tell_trail(struct json_write *w, const struct key_store_told *told);
