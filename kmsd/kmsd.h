// The daemon's own state, made at start (main.c) and reached from every call.
#pragma once

#include "common/rpc/call.h"
#include "common/rpc/daemon.h"
#include "kmsd/changes.h"
#include "kmsd/keyring.h"
#include "kmsd/xks_client.h"

struct attestation_root;
struct clock_hub;
struct cloudhsm;
struct connect_job;
struct deliver;
struct fault_rules;
struct key_maker;
struct seed;
struct throttle;

struct kmsd {
    struct daemon *daemon;
    struct keyring *keyring;
    struct seed *seed;          // NULL: none
    struct throttle *throttle;  // NULL: no request rates
    struct fault_rules *faults; // NULL without --test-control
    bool faults_set;            // there are any; atomic
    struct changes *changes;
    struct key_maker *key_maker;
    struct clock_hub *clock;
    struct deliver *deliver;
    struct attestation_root *roots; // NULL: Recipient is refused
    struct journal_writer *journal; // the main thread's, for service events
    struct cloudhsm *cloudhsm;      // replaced (SIGHUP) under the keyring's lock for changing
    struct connect_job *connect;
    struct xks_settings xks;
    int64_t key_store_delay_ns; // how long connecting and disconnecting take
    int64_t grant_delay_ns;     // until a new grant works without its token
    int64_t next_delivery_ns;   // the delivery job's
    int64_t trail_interval_ns;
};

static inline struct kmsd *kmsd_of(const struct call *call)
{
    return call->daemon->ext;
}
