// Who may use which table key, and until when: one entry per (table key, principal), made by a Decrypt in that
// principal's name and good for the lifetime from that Decrypt on, however often it is used (spec 16-19). What an entry
// holds is opaque here: the opened table. When its last use is over it is closed, which wipes the keys.
//
// A pure unit: time, KMS and tables come in through `struct keycache_ops` and the caller. Thread-safe. now() and
// ready() are called with the cache's lock held and must not call back; open(), close() and woken() are not.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

struct keycache;
struct key_lease; // counted
struct keycache_fetch;

struct keycache_id {
    char table[UUID_TEXT_SIZE];
    uint32_t version; // of the table key
};

struct keycache_ops {
    int64_t (*now)(void *arg);
    // From the plaintext table key to what leases hold. context is the fetch's. NULL is success.
    const struct fault *(*open)(void *arg, const void *context, struct span table_key, void **opened);
    void (*close)(void *arg, void *opened);
    void (*woken)(void *arg); // keycache_due() became earlier
    void *arg;
};

// Of one call. The caller owns it; while it waits it must stay where it is.
struct keycache_waiter {
    // Called once per waiting, by the thread that brought the answer, with lease or fault set. The lock is held, so
    // that no keycache_cancel() comes between: only pass the news on (loop_post()).
    void (*ready)(struct keycache_waiter *w);
    void *arg;
    struct key_lease *lease;   // the caller's to release
    const struct fault *fault; // why there is none
    char *detail;              // the sentence, freed by keycache_waiter_done(); NULL: the fault's own
    // private
    struct keycache_waiter *next;
    struct keycache_fetch *fetch; // waits for it; NULL: for nothing
};

enum keycache_result {
    KEYCACHE_HIT,   // waiter->lease is set
    KEYCACHE_WAIT,  // ready() will be called
    KEYCACHE_FETCH, // the same, and the caller must start a Decrypt and answer the fetch
};

struct keycache *keycache_new(const struct keycache_ops *ops, int64_t ttl_ns);
// Everything must have been answered and released, entries may still be there.
void keycache_free(struct keycache *c);

// until_idle: the entry lives on with every use (tables under the owned key, which no KMS answers for). kms_arn is what
// keycache_drop_key() finds it by ("" for none).
struct keycache_request {
    struct keycache_id id;
    const char *principal; // ARN; "" for the owned key
    const char *kms_arn;
    bool until_idle;
};
enum keycache_result keycache_get(struct keycache *c, const struct keycache_request *r, struct keycache_waiter *w,
                                  struct keycache_fetch **fetch);
// The answer of the Decrypt: a 32-byte key, or a fault (not cached) with a sentence or NULL. Wakes all that wait for
// it; the fetch is gone. Does not keep the key: what is needed of it is behind open().
void keycache_answer(struct keycache *c, struct keycache_fetch *f, const void *context, struct span table_key,
                     const struct fault *fault, const char *detail);
// Stops waiting (the call is gone). ready() is not called any more.
void keycache_cancel(struct keycache *c, struct keycache_waiter *w);
// Forgets the answer: releases a lease that nobody took, frees the sentence.
void keycache_waiter_done(struct keycache *c, struct keycache_waiter *w);

void *key_lease_opened(const struct key_lease *l);
void key_lease_release(struct keycache *c, struct key_lease *l); // NULL is fine

// Drops entries at once; Decrypts on their way are answered to those who wait already, but not kept.
void keycache_drop_key(struct keycache *c, const char *kms_arn);                      // NULL: of every KMS key
void keycache_drop_table(struct keycache *c, const char *table_id, uint32_t version); // version 0: all of the table's

// The time of the next expiry (INT64_MAX: none), and the expiry itself.
int64_t keycache_due(struct keycache *c);
void keycache_expire(struct keycache *c, int64_t now_ns);
size_t keycache_entries(struct keycache *c);
