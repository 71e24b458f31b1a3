// Custom key stores in memory and as records. Which there are is the keyring's (keyring_key_store.c), what they are
// asked to do op_key_store.c's and op_create_key_store.c's, their connections connect_job.c's.
#include "kmsd/key_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ids.h"
#include "kmsd/key.h"
#include "kmsd/record.h"

#define VERSION 1
#define SECRET_MAX 64 // RawSecretAccessKey; passwords are shorter

const char *const key_store_type_names[KEY_STORE_TYPES + 1] = {
    [KEY_STORE_CLOUDHSM] = "AWS_CLOUDHSM",
    [KEY_STORE_EXTERNAL] = "EXTERNAL_KEY_STORE",
};

const char *const connection_state_names[CONNECTION_STATES] = {
    [STORE_DISCONNECTED] = "DISCONNECTED",   [STORE_CONNECTING] = "CONNECTING", [STORE_CONNECTED] = "CONNECTED",
    [STORE_DISCONNECTING] = "DISCONNECTING", [STORE_FAILED] = "FAILED",
};

const char *const connection_error_names[CONNECTION_ERRORS] = {
    [CONNECTION_INVALID_CREDENTIALS] = "INVALID_CREDENTIALS",
    [CONNECTION_CLUSTER_NOT_FOUND] = "CLUSTER_NOT_FOUND",
    [CONNECTION_NETWORK_ERRORS] = "NETWORK_ERRORS",
    [CONNECTION_INTERNAL_ERROR] = "INTERNAL_ERROR",
    [CONNECTION_INSUFFICIENT_HSMS] = "INSUFFICIENT_CLOUDHSM_HSMS",
    [CONNECTION_USER_LOCKED_OUT] = "USER_LOCKED_OUT",
    [CONNECTION_USER_NOT_FOUND] = "USER_NOT_FOUND",
    [CONNECTION_USER_LOGGED_IN] = "USER_LOGGED_IN",
    [CONNECTION_SUBNET_NOT_FOUND] = "SUBNET_NOT_FOUND",
    [CONNECTION_NO_FREE_ADDRESSES] = "INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET",
    [CONNECTION_PROXY_ACCESS_DENIED] = "XKS_PROXY_ACCESS_DENIED",
    [CONNECTION_PROXY_NOT_REACHABLE] = "XKS_PROXY_NOT_REACHABLE",
    [CONNECTION_PROXY_INVALID_RESPONSE] = "XKS_PROXY_INVALID_RESPONSE",
    [CONNECTION_PROXY_INVALID_CONFIGURATION] = "XKS_PROXY_INVALID_CONFIGURATION",
    [CONNECTION_PROXY_TIMED_OUT] = "XKS_PROXY_TIMED_OUT",
    [CONNECTION_PROXY_INVALID_TLS] = "XKS_PROXY_INVALID_TLS_CONFIGURATION",
};

void xks_proxy_done(struct xks_proxy *p)
{
    free(p->endpoint);
    free(p->path);
    free(p->vpc_service);
    free(p->vpc_owner);
    free(p->access_key_id);
    secret_done(&p->secret_key);
}

void key_store_free(struct key_store *s)
{
    if (!s)
        return;
    free(s->name);
    free(s->cluster_id);
    free(s->trust_anchor);
    secret_done(&s->password);
    xks_proxy_done(&s->proxy);
    ptr_vec_done(&s->keys);
    free(s);
}

// ---- its keys ----

static struct span key_name(const struct key *key)
{
    return span_of(key->xks_key_id ? key->xks_key_id : key->id);
}

static int by_name(const void *name, const void *key)
{
    return span_cmp(*(const struct span *)name, key_name(key));
}

struct key *key_store_external_key(const struct key_store *s, struct span xks_key_id)
{
    return ptr_vec_find(&s->keys, &xks_key_id, by_name);
}

void key_store_add_key(struct key_store *s, struct key *key)
{
    struct span name = key_name(key);
    ptr_vec_insert(&s->keys, &name, key, by_name);
}

void key_store_remove_key(struct key_store *s, const struct key *key)
{
    struct span name = key_name(key);
    ptr_vec_remove(&s->keys, &name, by_name);
}

// ---- records ----

struct span key_store_record_name(const struct key_store *s, char out[KEY_STORE_RECORD_SIZE])
{
    int n = snprintf(out, KEY_STORE_RECORD_SIZE, "%s/%s/%s", s->account, s->region, s->id);
    return (struct span){out, (size_t)n};
}

// Bound to the store's name: another's record cannot lend it. A store has one secret only.
static void put_secret(const struct key_store *s, const struct secret *secret, const struct root_key *root,
                       struct buf *out)
{
    char name[KEY_STORE_RECORD_SIZE];
    struct buf sealed;
    buf_init(&sealed, SECRET_MAX + ROOT_KEY_OVERHEAD);
    if (secret->n > 0)
        root_key_seal(root, key_store_record_name(s, name), secret_span(secret), &sealed);
    if (!buf_ok(&sealed))
        out->failed = true;
    record_put_bytes(out, buf_span(&sealed));
    buf_done(&sealed);
}

static bool take_secret(const struct key_store *s, struct record_reader *r, const struct root_key *root,
                        struct secret *secret)
{
    char name[KEY_STORE_RECORD_SIZE];
    struct span sealed = record_bytes(r);
    if (r->failed || sealed.n <= ROOT_KEY_OVERHEAD || !secret_init(secret, sealed.n - ROOT_KEY_OVERHEAD))
        return false;
    return root_key_unseal(root, key_store_record_name(s, name), sealed, secret->p);
}

void key_store_encode(const struct key_store *s, const struct root_key *root, struct buf *out)
{
    record_put_u8(out, VERSION);
    record_put_u8(out, (uint8_t)s->type);
    record_put_text(out, s->name);
    record_put_u8(out, (uint8_t)s->state);
    record_put_u8(out, (uint8_t)s->error);
    record_put_i64(out, s->created_ns);
    record_put_i64(out, s->until_ns);
    if (s->type == KEY_STORE_CLOUDHSM) {
        record_put_text(out, s->cluster_id);
        record_put_text(out, s->trust_anchor);
        put_secret(s, &s->password, root, out);
        return;
    }
    record_put_text(out, s->proxy.endpoint);
    record_put_text(out, s->proxy.path);
    record_put_text(out, s->proxy.vpc_service);
    record_put_text(out, s->proxy.vpc_owner);
    record_put_text(out, s->proxy.access_key_id);
    put_secret(s, &s->proxy.secret_key, root, out);
}

static bool decode_backing(struct key_store *s, struct record_reader *r, const struct root_key *root)
{
    if (s->type == KEY_STORE_CLOUDHSM) {
        s->cluster_id = record_text(r);
        s->trust_anchor = record_text(r);
        return take_secret(s, r, root, &s->password);
    }
    s->proxy.endpoint = record_text(r);
    s->proxy.path = record_text(r);
    key_set_text(&s->proxy.vpc_service, record_bytes(r));
    key_set_text(&s->proxy.vpc_owner, record_bytes(r));
    s->proxy.access_key_id = record_text(r);
    return take_secret(s, r, root, &s->proxy.secret_key);
}

static bool decode_body(struct key_store *s, struct record_reader *r, const struct root_key *root)
{
    uint8_t version = record_u8(r), type = record_u8(r);
    s->name = record_text(r);
    uint8_t state = record_u8(r), error = record_u8(r);
    s->created_ns = record_i64(r);
    s->until_ns = record_i64(r);
    if (r->failed || version != VERSION || type >= KEY_STORE_TYPES || state >= CONNECTION_STATES ||
        error >= CONNECTION_ERRORS)
        return false;
    s->type = (enum key_store_type)type;
    s->state = (enum connection_state)state;
    s->error = (enum connection_error)error;
    return decode_backing(s, r, root) && record_done(r);
}

static bool take_name(struct key_store *s, struct span name)
{
    const char *region = memchr(name.p, '/', name.n);
    const char *id = region ? memchr(region + 1, '/', (size_t)(name.p + name.n - region - 1)) : NULL;
    if (!id || region - name.p != 12 || id - region - 1 >= (long)sizeof s->region ||
        name.p + name.n - id - 1 != KEY_STORE_ID_SIZE - 1)
        return false;
    memcpy(s->account, name.p, 12);
    memcpy(s->region, region + 1, (size_t)(id - region - 1));
    memcpy(s->id, id + 1, KEY_STORE_ID_SIZE - 1);
    return true;
}

struct key_store *key_store_decode(struct span name, struct span record, const struct root_key *root)
{
    struct record_reader r = {.rest = record};
    struct key_store *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    if (take_name(s, name) && decode_body(s, &r, root))
        return s;
    key_store_free(s);
    return NULL;
}

// ---- showing ----

static void write_proxy(const struct xks_proxy *p, struct json_write *w)
{
    json_key(w, "XksProxyConfiguration");
    json_obj_begin(w);
    json_kcstr(w, "Connectivity", p->vpc_service ? "VPC_ENDPOINT_SERVICE" : "PUBLIC_ENDPOINT");
    json_kcstr(w, "AccessKeyId", p->access_key_id);
    json_kcstr(w, "UriEndpoint", p->endpoint);
    json_kcstr(w, "UriPath", p->path);
    json_kcstr(w, "VpcEndpointServiceName", p->vpc_service);
    json_kcstr(w, "VpcEndpointServiceOwner", p->vpc_owner);
    json_obj_end(w);
}

void key_store_write(const struct key_store *s, struct json_write *w)
{
    json_obj_begin(w);
    json_kcstr(w, "CustomKeyStoreId", s->id);
    json_kcstr(w, "CustomKeyStoreName", s->name);
    json_kcstr(w, "CloudHsmClusterId", s->cluster_id);
    json_kcstr(w, "TrustAnchorCertificate", s->trust_anchor);
    json_kcstr(w, "ConnectionState", connection_state_names[s->state]);
    json_kcstr(w, "ConnectionErrorCode", connection_error_names[s->error]);
    json_kepoch(w, "CreationDate", s->created_ns);
    json_kcstr(w, "CustomKeyStoreType", key_store_type_names[s->type]);
    if (s->type == KEY_STORE_EXTERNAL)
        write_proxy(&s->proxy, w);
    json_obj_end(w);
}
