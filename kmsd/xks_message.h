// Requests to the proxy of an external key store and what it answers, as bytes; and the ciphertext blob of keys there.
// Source: AWS KMS External Key Store Proxy API specification, version 1.
#pragma once

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/secret.h"
#include "kmsd/ciphertext.h"
#include "kmsd/limits.h"
#include "kmsd/xks_failure.h"

#define XKS_IV_MAX 16
#define XKS_TAG_SIZE 16
#define XKS_METADATA_MAX 20 // ciphertextMetadata
#define XKS_TEXT_SIZE 64
#define XKS_BODY_MAX (64 * 1024) // of requests and replies

enum xks_api { XKS_HEALTH, XKS_METADATA, XKS_ENCRYPT, XKS_DECRYPT };

// requestMetadata: who made KMS ask. Members that are NULL are left out.
struct xks_origin {
    const char *principal_arn, *key_arn, *operation, *request_id, *via_service;
};

// What the proxy made, and needs to take it back.
struct xks_sealed {
    unsigned char iv[XKS_IV_MAX], tag[XKS_TAG_SIZE], metadata[XKS_METADATA_MAX];
    size_t iv_n, metadata_n;
    struct span bytes; // as long as what was sealed
};

struct xks_request {
    enum xks_api api;
    struct xks_origin origin;
    const char *xks_key_id;   // all but XKS_HEALTH
    struct span context;      // additionalAuthenticatedData; empty: left out
    struct span plaintext;    // XKS_ENCRYPT
    bool integrity;           // XKS_ENCRYPT: the proxy must prove what it answers (data keys)
    struct xks_sealed sealed; // XKS_DECRYPT
};

struct xks_reply {
    enum xks_failure failure;
    struct xks_sealed sealed; // XKS_ENCRYPT; its bytes are `bytes`
    struct secret bytes;      // ciphertext, or of XKS_DECRYPT the plaintext
    // XKS_METADATA
    char key_spec[XKS_TEXT_SIZE], key_status[XKS_TEXT_SIZE], key_usage[4 * XKS_TEXT_SIZE]; // as told, cut if longer
    bool encrypts, decrypts;
    char message[512]; // the proxy's own words about a failure, for the log; printable
};

// Where the request goes, behind the path of the key store: "/keys/<id>/encrypt".
void xks_request_target(const struct xks_request *q, const char *path, struct buf *out);
void xks_request_body(const struct xks_request *q, struct buf *out);
// q: what was asked. The reply is filled whatever the bytes are.
void xks_reply_read(const struct xks_request *q, int status, struct span body, struct xks_reply *r);
void xks_reply_done(struct xks_reply *r);

// ---- the blob ----
// As that of other keys (ciphertext.h) up to the backing key id, then
//   02 | 1 length of metadata | metadata | 1 length of IV | IV | 16 tag | ciphertext
// What the proxy deciphers is a blob of the other kind, sealed by KMS's own key material: double encryption.

struct xks_blob {
    const unsigned char *backing_id;
    struct xks_sealed sealed;
};

void xks_blob_write(const unsigned char backing_id[BACKING_ID_SIZE], const struct xks_sealed *sealed, struct buf *out);
// False unless the bytes have this form (nothing is authenticated yet). Spans into them.
MUST_CHECK bool xks_blob_parse(struct span blob, struct xks_blob *out);
