// Custom key stores: key stores that belong to the customer, of one of two types. A CloudHSM key store is backed by a
// (simulated) cluster, an external one by a proxy that is really called. They belong to the keyring; everything here is
// read and changed under its lock.
// Source: AWS KMS API reference, CustomKeyStoresListEntry and CreateCustomKeyStore.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_write.h"
#include "common/base/secret.h"
#include "kmsd/hash.h"
#include "kmsd/ptr_vec.h"
#include "kmsd/root_key.h"

struct key;

#define KEY_STORE_ID_SIZE 22     // "cks-", 17 hexadecimal digits and a terminator
#define KEY_STORE_RECORD_SIZE 80 // "<account>/<region>/<id>"
#define KEY_STORES_PER_REALM 10  // resource quota: of an account in a Region

enum key_store_type { KEY_STORE_CLOUDHSM, KEY_STORE_EXTERNAL, KEY_STORE_TYPES };
extern const char *const key_store_type_names[KEY_STORE_TYPES + 1]; // CustomKeyStoreType; ended by NULL

enum connection_state {
    STORE_DISCONNECTED,
    STORE_CONNECTING,
    STORE_CONNECTED,
    STORE_DISCONNECTING,
    STORE_FAILED,
    CONNECTION_STATES
};
extern const char *const connection_state_names[CONNECTION_STATES]; // ConnectionState

// ConnectionErrorCode, of STORE_FAILED. Those of clusters can all be brought about (cloudhsm.h); a VPC endpoint service
// is not simulated, so the two about it do not occur.
enum connection_error {
    CONNECTION_OK,
    CONNECTION_INVALID_CREDENTIALS,
    CONNECTION_CLUSTER_NOT_FOUND,
    CONNECTION_NETWORK_ERRORS,
    CONNECTION_INTERNAL_ERROR,
    CONNECTION_INSUFFICIENT_HSMS,
    CONNECTION_USER_LOCKED_OUT,
    CONNECTION_USER_NOT_FOUND,
    CONNECTION_USER_LOGGED_IN,
    CONNECTION_SUBNET_NOT_FOUND,
    CONNECTION_NO_FREE_ADDRESSES,
    CONNECTION_PROXY_ACCESS_DENIED,
    CONNECTION_PROXY_NOT_REACHABLE,
    CONNECTION_PROXY_INVALID_RESPONSE,
    CONNECTION_PROXY_INVALID_CONFIGURATION,
    CONNECTION_PROXY_TIMED_OUT,
    CONNECTION_PROXY_INVALID_TLS,
    CONNECTION_ERRORS
};
extern const char *const connection_error_names[CONNECTION_ERRORS]; // CONNECTION_OK: NULL

// How the proxy of an external key store is reached.
struct xks_proxy {
    char *endpoint;                // "https://proxy.example.com"
    char *path;                    // "/prefix/kms/xks/v1"
    char *vpc_service, *vpc_owner; // of VPC_ENDPOINT_SERVICE connectivity; NULL: PUBLIC_ENDPOINT
    char *access_key_id;
    struct secret secret_key; // signs the requests
};

struct key_store {
    char id[KEY_STORE_ID_SIZE];
    char account[13], region[32];
    char *name;
    enum key_store_type type;
    enum connection_state state;
    enum connection_error error;
    int64_t created_ns;
    int64_t until_ns; // of STORE_CONNECTING and STORE_DISCONNECTING: when that is over
    uint64_t attempt; // counts its connections; in memory only
    bool asking;      // connect_job.c: its proxy is being asked; in memory only
    // AWS_CLOUDHSM
    char *cluster_id, *trust_anchor; // PEM
    struct secret password;          // of kmsuser
    // EXTERNAL_KEY_STORE
    struct xks_proxy proxy;
    struct ptr_vec keys; // of struct key, by external key id or, in a cluster, by key id
    UT_hash_handle hh;   // the keyring's, by id
};

void key_store_free(struct key_store *s);
void xks_proxy_done(struct xks_proxy *p);
// The key of the store with this external key id; NULL: none.
struct key *key_store_external_key(const struct key_store *s, struct span xks_key_id);
// The store's list is told of a key that is made or goes.
void key_store_add_key(struct key_store *s, struct key *key);
void key_store_remove_key(struct key_store *s, const struct key *key);

// The record's name in the store.
struct span key_store_record_name(const struct key_store *s, char out[KEY_STORE_RECORD_SIZE]);
// The stored record (password and secret sealed under the root key).
void key_store_encode(const struct key_store *s, const struct root_key *root, struct buf *out);
// NULL: damaged, or sealed under another root key.
struct key_store *key_store_decode(struct span name, struct span record, const struct root_key *root);

// The store as DescribeCustomKeyStores lists it.
void key_store_write(const struct key_store *s, struct json_write *w);
