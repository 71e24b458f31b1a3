// CloudHSM clusters, simulated: what KMS would find out about the cluster behind a key store. Without a file every
// cluster exists, is active and has two HSMs, and takes whatever certificate and password it is asked with. A file
// (--cloudhsm) says which clusters there are:
//
//   {"clusters": [{"clusterId": "cluster-1a23b4cdefg",
//                  "trustAnchorCertificate": "-----BEGIN CERTIFICATE-----\n…",   (left out: any)
//                  "kmsuserPassword": "…",                                      (left out: any)
//                  "active": true, "hsms": 2,                                   (as here when left out)
//                  "connectionError": "USER_LOCKED_OUT"}]}                      (what a connection ends with)
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kmsd/key_store.h"

struct cloudhsm;

// path NULL: no file. NULL with a reason that names file and member.
struct cloudhsm *cloudhsm_open(const char *path, char *why, size_t why_size);
void cloudhsm_free(struct cloudhsm *c);

// What KMS may find wrong with a cluster before it uses it.
enum cluster_trouble {
    CLUSTER_FINE,
    CLUSTER_NOT_FOUND,
    CLUSTER_NOT_ACTIVE,
    CLUSTER_TOO_FEW_HSMS,
    CLUSTER_OTHER_CERTIFICATE,
};
// trust_anchor: PEM. hsms: how many active ones are needed.
enum cluster_trouble cloudhsm_check(const struct cloudhsm *c, struct span cluster_id, struct span trust_anchor,
                                    int hsms);
// How a connection of the key store to its cluster ends.
enum connection_error cloudhsm_connect(const struct cloudhsm *c, const struct key_store *s);

// Whether both are certificates in PEM, and the same. (Clusters that were made of one backup share theirs.)
bool cloudhsm_same_certificate(struct span a, struct span b);
