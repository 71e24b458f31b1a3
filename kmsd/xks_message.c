// Requests and replies of xks_client.c, and the blobs of seal.c.
#include "kmsd/xks_message.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/encode.h"
#include "common/base/json_read.h"
#include "common/base/json_write.h"

#define USAGES_MAX 10 // keyUsage
#define FLEET_MAX 10  // ekmFleetDetails
#define MARK 2        // where other blobs have a 1
#define MARK_AT 37
#define BLOB_LEAST (MARK_AT + 1 + 1 + 1 + 12 + XKS_TAG_SIZE + 1)

// ---- requests ----

void xks_request_target(const struct xks_request *q, const char *path, struct buf *out)
{
    static const char *const verbs[] = {
        [XKS_METADATA] = "metadata", [XKS_ENCRYPT] = "encrypt", [XKS_DECRYPT] = "decrypt"};
    if (q->api == XKS_HEALTH)
        buf_appendf(out, "%s/health", path);
    else
        buf_appendf(out, "%s/keys/%s/%s", path, q->xks_key_id, verbs[q->api]);
}

static void write_origin(struct json_write *w, const struct xks_origin *o)
{
    json_key(w, "requestMetadata");
    json_obj_begin(w);
    json_kcstr(w, "awsPrincipalArn", o->principal_arn);
    json_kcstr(w, "kmsKeyArn", o->key_arn);
    json_kcstr(w, "kmsOperation", o->operation);
    json_kcstr(w, "kmsRequestId", o->request_id);
    json_kcstr(w, "kmsViaService", o->via_service);
    json_obj_end(w);
}

static void base64_member(struct json_write *w, const char *name, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    json_key(w, name);
    json_base64(w, (struct span){bytes, n});
}

void xks_request_body(const struct xks_request *q, struct buf *out)
{
    struct json_write w;
    const struct xks_sealed *s = &q->sealed;
    json_write_init(&w, out);
    json_obj_begin(&w);
    write_origin(&w, &q->origin);
    base64_member(&w, "additionalAuthenticatedData", q->context.p, q->context.n);
    if (q->api == XKS_ENCRYPT) {
        base64_member(&w, "plaintext", q->plaintext.p, q->plaintext.n);
        json_kcstr(&w, "encryptionAlgorithm", "AES_GCM");
        json_kcstr(&w, "ciphertextDataIntegrityValueAlgorithm", q->integrity ? "SHA_256" : NULL);
    } else if (q->api == XKS_DECRYPT) {
        base64_member(&w, "ciphertext", s->bytes.p, s->bytes.n);
        base64_member(&w, "ciphertextMetadata", s->metadata, s->metadata_n);
        base64_member(&w, "initializationVector", s->iv, s->iv_n);
        base64_member(&w, "authenticationTag", s->tag, sizeof s->tag);
        json_kcstr(&w, "encryptionAlgorithm", "AES_GCM");
    }
    json_obj_end(&w);
}

// ---- replies ----

// At most max bytes. False: there, and not base64 of so few bytes.
static bool read_base64(const json_t *body, const char *name, unsigned char *out, size_t max, size_t *n)
{
    unsigned char bytes[64];
    const json_t *value = json_object_get(body, name);
    struct span text = json_span(value);
    *n = 0;
    if (!value)
        return true;
    if (!json_is_string(value) || base64_decoded_max(text.n) > sizeof bytes || !base64_decode(text, bytes, n) ||
        *n > max)
        return false;
    memcpy(out, bytes, *n);
    return true;
}

// Exactly n bytes.
static bool read_bytes(const json_t *body, const char *name, size_t n, struct secret *out)
{
    struct span text = json_span(json_object_get(body, name));
    size_t got = 0;
    if (!text.p || text.n > XKS_BODY_MAX || !secret_init(out, base64_decoded_max(text.n)) ||
        !base64_decode(text, out->p, &got) || got != n)
        return false;
    out->n = n;
    return true;
}

// The hash over everything that a later Decrypt must be given.
static bool integrity_holds(const struct xks_request *q, const struct xks_reply *r, const json_t *body)
{
    unsigned char told[SHA256_SIZE], hash[SHA256_SIZE];
    const struct xks_sealed *s = &r->sealed;
    size_t n;
    struct buf all;
    if (!q->integrity)
        return true;
    buf_init(&all, KMS_CONTEXT_BYTES_MAX + XKS_BODY_MAX);
    buf_append_span(&all, q->context);
    buf_append(&all, s->metadata, s->metadata_n);
    buf_append(&all, s->iv, s->iv_n);
    buf_append_span(&all, secret_span(&r->bytes));
    buf_append(&all, s->tag, sizeof s->tag);
    sha256(buf_span(&all), hash);
    bool ok = buf_ok(&all) && read_base64(body, "ciphertextDataIntegrityValue", told, sizeof told, &n) &&
              n == sizeof told && memcmp(told, hash, sizeof told) == 0;
    buf_done(&all);
    return ok;
}

static bool read_encrypted(const struct xks_request *q, const json_t *body, struct xks_reply *r)
{
    struct xks_sealed *s = &r->sealed;
    size_t tag_n;
    bool ok = read_base64(body, "initializationVector", s->iv, sizeof s->iv, &s->iv_n) &&
              (s->iv_n == 12 || s->iv_n == 16) &&
              read_base64(body, "authenticationTag", s->tag, sizeof s->tag, &tag_n) && tag_n == sizeof s->tag &&
              read_base64(body, "ciphertextMetadata", s->metadata, sizeof s->metadata, &s->metadata_n) &&
              read_bytes(body, "ciphertext", q->plaintext.n, &r->bytes) && integrity_holds(q, r, body);
    s->bytes = secret_span(&r->bytes);
    return ok;
}

static void keep_text(char *out, size_t size, const json_t *value)
{
    snprintf(out, size, "%s", json_is_string(value) ? json_string_value(value) : "");
    for (char *c = out; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static bool read_metadata(const json_t *body, struct xks_reply *r)
{
    const json_t *spec = json_object_get(body, "keySpec"), *status = json_object_get(body, "keyStatus");
    const json_t *usages = json_object_get(body, "keyUsage");
    size_t i, at = 0;
    json_t *usage;
    if (!json_is_string(spec) || !json_is_string(status) || !json_is_array(usages) ||
        json_array_size(usages) > USAGES_MAX)
        return false;
    keep_text(r->key_spec, sizeof r->key_spec, spec);
    keep_text(r->key_status, sizeof r->key_status, status);
    json_array_foreach(usages, i, usage)
    {
        if (!json_is_string(usage))
            return false;
        char text[XKS_TEXT_SIZE];
        keep_text(text, sizeof text, usage);
        r->encrypts |= strcmp(text, "ENCRYPT") == 0;
        r->decrypts |= strcmp(text, "DECRYPT") == 0;
        if (at < sizeof r->key_usage)
            at += (size_t)snprintf(r->key_usage + at, sizeof r->key_usage - at, "%s%s", i ? ", " : "", text);
    }
    return true;
}

// XKS_OK, XKS_UNHEALTHY or XKS_MALFORMED.
static enum xks_failure read_health(const json_t *body)
{
    const json_t *size = json_object_get(body, "xksProxyFleetSize"), *fleet = json_object_get(body, "ekmFleetDetails");
    bool available = false;
    size_t i;
    json_t *manager;
    if (!json_is_integer(size) || json_integer_value(size) <= 0 || json_array_size(fleet) < 1 ||
        json_array_size(fleet) > FLEET_MAX || !json_is_string(json_object_get(body, "xksProxyVendor")) ||
        !json_is_string(json_object_get(body, "xksProxyModel")) || !json_is_string(json_object_get(body, "ekmVendor")))
        return XKS_MALFORMED;
    json_array_foreach(fleet, i, manager)
    {
        struct span status = json_span(json_object_get(manager, "healthStatus"));
        bool serves = span_is(status, "ACTIVE") || span_is(status, "DEGRADED");
        if (!json_is_string(json_object_get(manager, "id")) || !json_is_string(json_object_get(manager, "model")) ||
            !(serves || span_is(status, "UNAVAILABLE")))
            return XKS_MALFORMED;
        available |= serves;
    }
    return available ? XKS_OK : XKS_UNHEALTHY;
}

static enum xks_failure read_success(const struct xks_request *q, const json_t *body, struct xks_reply *r)
{
    bool ok = false;
    switch (q->api) {
    case XKS_HEALTH:
        return read_health(body);
    case XKS_METADATA:
        ok = read_metadata(body, r);
        break;
    case XKS_ENCRYPT:
        ok = read_encrypted(q, body, r);
        break;
    case XKS_DECRYPT:
        ok = read_bytes(body, "plaintext", q->sealed.bytes.n, &r->bytes);
        break;
    }
    return ok ? XKS_OK : XKS_MALFORMED;
}

void xks_reply_read(const struct xks_request *q, int status, struct span body, struct xks_reply *r)
{
    json_t *json = json_read(body, NULL, 0);
    *r = (struct xks_reply){.failure = XKS_MALFORMED};
    if (json_is_object(json) && status == 200) {
        r->failure = read_success(q, json, r);
    } else if (json_is_object(json)) {
        r->failure = xks_failure_find(json_span(json_object_get(json, "errorName")));
        keep_text(r->message, sizeof r->message, json_object_get(json, "errorMessage"));
    }
    json_decref(json);
}

void xks_reply_done(struct xks_reply *r)
{
    secret_done(&r->bytes);
}

// ---- the blob ----

void xks_blob_write(const unsigned char backing_id[BACKING_ID_SIZE], const struct xks_sealed *s, struct buf *out)
{
    ciphertext_write_start(backing_id, out);
    buf_append_char(out, MARK);
    buf_append_char(out, (char)s->metadata_n);
    buf_append(out, s->metadata, s->metadata_n);
    buf_append_char(out, (char)s->iv_n);
    buf_append(out, s->iv, s->iv_n);
    buf_append(out, s->tag, sizeof s->tag);
    buf_append_span(out, s->bytes);
}

static const unsigned char *take(struct span *rest, size_t n)
{
    if (n > rest->n)
        return NULL;
    const unsigned char *at = (const unsigned char *)rest->p;
    rest->p += n;
    rest->n -= n;
    return at;
}

// A byte that says how many follow.
static bool take_counted(struct span *rest, unsigned char *out, size_t max, size_t *n)
{
    const unsigned char *count = take(rest, 1), *bytes = count && *count <= max ? take(rest, *count) : NULL;
    if (!bytes)
        return false;
    *n = *count;
    memcpy(out, bytes, *n);
    return true;
}

bool xks_blob_parse(struct span blob, struct xks_blob *out)
{
    struct span rest = blob;
    *out = (struct xks_blob){.backing_id = ciphertext_start(blob)};
    if (!out->backing_id || blob.n < BLOB_LEAST || blob.n > KMS_CIPHERTEXT_MAX || blob.p[MARK_AT] != MARK)
        return false;
    take(&rest, MARK_AT + 1);
    struct xks_sealed *s = &out->sealed;
    if (!take_counted(&rest, s->metadata, sizeof s->metadata, &s->metadata_n) ||
        !take_counted(&rest, s->iv, sizeof s->iv, &s->iv_n) || (s->iv_n != 12 && s->iv_n != 16))
        return false;
    const unsigned char *tag = take(&rest, sizeof s->tag);
    if (!tag || rest.n == 0)
        return false;
    memcpy(s->tag, tag, sizeof s->tag);
    s->bytes = rest;
    return true;
}
