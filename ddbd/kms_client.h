// ddbd's way to kmsd: signed requests with the service's own credential, in the service's own name or on behalf of a
// user. One client per thread (it belongs to the thread that runs its base).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/auth/credentials.h"
#include "ddbd/kms_message.h"

struct event_base;
struct kms_client;

// Who a call is made for. user NULL: the service itself, for this account.
struct kms_identity {
    const char *account, *region;
    const struct principal *user;
};

// NULL with a reason. timeout_ns covers a whole call.
struct kms_client *kms_client_new(struct event_base *base, const char *url, struct credentials *credentials,
                                  int64_t timeout_ns, char *why, size_t why_size);
// The daemon is ending: all calls under way, and whatever is sent from now on, are answered with KMS_UNREACHABLE.
void kms_client_end(struct kms_client *c);
// After kms_client_end() and one more turn of the loop. NULL is fine.
void kms_client_free(struct kms_client *c);

// Sends operation ("Decrypt") with a body, which is wiped afterwards by the caller (copied here). done() is called
// once, from the event loop or from kms_client_end(), never from this function; the reply lives during the callback.
void kms_client_call(struct kms_client *c, const struct kms_identity *who, const char *operation, struct span body,
                     void (*done)(void *arg, struct kms_reply *r), void *arg);

// An admin call of kmsd, signed by the service: POST when there is a body, else GET. timeout_ms 0: the client's.
// done() gets status 0 and the reason as body when there was no answer.
void kms_client_admin(struct kms_client *c, const char *target, struct span body, unsigned timeout_ms,
                      void (*done)(void *arg, int status, struct span body), void *arg);
