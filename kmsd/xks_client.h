// Asks the proxies of external key stores, over HTTPS, signed by the key store's own credential (SigV4, service
// kms-xks-proxy). One client per event loop; not thread-safe.
// Source: AWS KMS External Key Store Proxy API specification, "Authentication" and Appendix A.
#pragma once

#include <stdint.h>

#include "common/base/conf.h"
#include "kmsd/key_store.h"
#include "kmsd/xks_message.h"

struct event_base;
struct http_tls;
struct xks_client;

// Whom to trust, how long to wait, and where to connect. Shared by all clients; immutable once made.
struct xks_settings {
    struct http_tls *tls;
    unsigned timeout_ms;
    const struct conf *conf; // its --xks-connect
};

// From --xks-ca, --xks-timeout and --xks-connect. False with a reason. xks_settings_done() also after a failure.
bool xks_settings_read(struct xks_settings *s, const struct conf *conf, char *why, size_t why_size);
void xks_settings_done(struct xks_settings *s);

struct xks_client *xks_client_new(struct event_base *base, const struct xks_settings *settings);
// Ends all calls; their callbacks are called, with XKS_UNREACHABLE. Calls that are begun from now on end so too.
void xks_client_end(struct xks_client *c);
void xks_client_free(struct xks_client *c); // after xks_client_end() and one more turn of the loop

// Asks the store's proxy. Everything is copied. done is called once, from the loop; what the reply holds may be taken,
// the rest is freed when it returns.
void xks_client_call(struct xks_client *c, const struct key_store *store, const struct xks_request *q,
                     void (*done)(void *arg, struct xks_reply *r), void *arg);
