// CreateCustomKeyStore and UpdateCustomKeyStore. The proxy of an external key store is asked for its health before
// anything is made or changed, so both may wait (xks_wait.h). Which changes need which connection state: API reference,
// UpdateCustomKeyStore.
#include "kmsd/op_create_key_store.h"

#include <stdlib.h>
#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/key.h"
#include "kmsd/kmsd.h"
#include "kmsd/xks_wait.h"

#define HSMS_NEEDED 2

static bool changes_proxy(const struct key_store_terms *t)
{
    return t->endpoint.p || t->path.p || t->vpc_service.n || t->vpc_owner.p || t->connectivity.p || t->credential_set;
}

// ---- what must be said, and what must not ----

static const struct fault *missing(struct call *call, const char *member, const char *type)
{
    return call_fault(call, &fault_validation, "%s is required for custom key stores of the type %s.", member, type);
}

static const struct fault *misplaced(struct call *call, const char *members, const char *type)
{
    return call_fault(call, &fault_validation, "%s not valid for custom key stores of the type %s.", members, type);
}

static const struct fault *check_members(struct call *call, const struct key_store_terms *t, enum key_store_type type)
{
    const char *name = key_store_type_names[type];
    if (type == KEY_STORE_CLOUDHSM && changes_proxy(t))
        return misplaced(call, "The properties of an external key store proxy are", name);
    if (type == KEY_STORE_EXTERNAL && (t->cluster_id.p || t->trust_anchor.p || t->password.p))
        return misplaced(call, "The properties of a CloudHSM cluster are", name);
    return NULL;
}

static const struct fault *check_complete(struct call *call, const struct key_store_terms *t, enum key_store_type type)
{
    const struct {
        const char *member;
        bool there;
    } needed[KEY_STORE_TYPES][4] = {
        [KEY_STORE_CLOUDHSM] = {{"CloudHsmClusterId", t->cluster_id.p},
                                {"KeyStorePassword", t->password.p},
                                {"TrustAnchorCertificate", t->trust_anchor.p},
                                {NULL, true}},
        [KEY_STORE_EXTERNAL] = {{"XksProxyConnectivity", t->connectivity.p},
                                {"XksProxyAuthenticationCredential", t->credential_set},
                                {"XksProxyUriEndpoint", t->endpoint.p},
                                {"XksProxyUriPath", t->path.p}},
    };
    for (size_t i = 0; i < 4; i++)
        if (!needed[type][i].there)
            return missing(call, needed[type][i].member, key_store_type_names[type]);
    return NULL;
}

// ---- what the others have ----

static const struct realm *realm_of(struct call *call)
{
    static const struct realm empty;
    const struct realm *realm = keyring_realm(kmsd_of(call)->keyring, call->account, call->region);
    return realm ? realm : &empty;
}

static const struct fault *check_name(struct call *call, struct span name, const struct key_store *but)
{
    const struct ptr_vec *stores = &realm_of(call)->key_stores;
    for (size_t i = 0; i < stores->n; i++)
        if (stores->v[i] != but && span_is(name, ((const struct key_store *)stores->v[i])->name))
            return call_fault(call, &fault_store_name_in_use, "There is a custom key store with the name %.*s already.",
                              (int)name.n, name.p);
    return NULL;
}

static const struct fault *proxy_conflict(struct call *call, const struct xks_proxy *p, const struct xks_proxy *other)
{
    bool same_endpoint = strcasecmp(p->endpoint, other->endpoint) == 0;
    if (same_endpoint && strcmp(p->path, other->path) == 0)
        return call_fault(call, &fault_proxy_uri_in_use, "%s%s belongs to another external key store.", p->endpoint,
                          p->path);
    // Only public endpoints can be shared.
    if (same_endpoint && (p->vpc_service || other->vpc_service))
        return call_fault(call, &fault_proxy_endpoint_in_use, "%s belongs to another external key store.", p->endpoint);
    if (p->vpc_service && other->vpc_service && strcmp(p->vpc_service, other->vpc_service) == 0)
        return call_fault(call, &fault_vpc_service_in_use, "%s belongs to another external key store.", p->vpc_service);
    return NULL;
}

static const struct fault *check_proxy(struct call *call, const struct xks_proxy *p, const struct key_store *but)
{
    const struct ptr_vec *stores = &realm_of(call)->key_stores;
    const struct fault *fault = NULL;
    for (size_t i = 0; i < stores->n && !fault; i++) {
        const struct key_store *s = stores->v[i];
        if (s != but && s->type == KEY_STORE_EXTERNAL)
            fault = proxy_conflict(call, p, &s->proxy);
    }
    // A service is known to its own Region only.
    const char *region = p->vpc_service ? strstr(p->vpc_service, ".vpce.") + 6 : NULL;
    if (!fault && region && strncmp(region, call->region, strcspn(region, ".")) != 0)
        fault =
            call_fault(call, &fault_vpc_service_not_found, "VPC endpoint service %s cannot be found.", p->vpc_service);
    return fault;
}

// Clusters of one backup share their certificate, and only one of them may back a key store.
static const struct fault *check_cluster(struct call *call, struct span cluster_id, struct span trust_anchor,
                                         const struct key_store *but)
{
    const struct ptr_vec *stores = &realm_of(call)->key_stores;
    for (size_t i = 0; i < stores->n; i++) {
        const struct key_store *s = stores->v[i];
        if (s == but || s->type != KEY_STORE_CLOUDHSM)
            continue;
        if (span_is(cluster_id, s->cluster_id) || cloudhsm_same_certificate(trust_anchor, span_of(s->trust_anchor)))
            return call_fault(call, &fault_cluster_in_use,
                              "CloudHSM cluster %.*s, or one that shares its backup history, belongs to custom key "
                              "store %s.",
                              (int)cluster_id.n, cluster_id.p, s->id);
    }
    return NULL;
}

// ---- the proxy's health ----

static const struct fault *check_health(struct call *call, const struct xks_proxy *proxy)
{
    struct key_store asked = {.proxy = *proxy};
    struct xks_request q = {.api = XKS_HEALTH};
    const struct xks_reply *reply;
    memcpy(asked.account, call->account, sizeof asked.account);
    strncpy(asked.region, call->region, sizeof asked.region - 1);
    return xks_wait(call, XKS_FIRST, XKS_MANAGING, &asked, &q, &reply);
}

// ---- CreateCustomKeyStore ----

static void set_secret(struct secret *to, struct span text)
{
    if (!text.p)
        return;
    secret_done(to);
    if (!secret_copy(to, text.p, text.n))
        abort();
}

static void set_text(char **to, struct span text)
{
    if (text.p)
        key_set_text(to, text);
}

// What the terms say of a proxy, on top of what it has.
static void apply_proxy(struct call *call, struct xks_proxy *p, const struct key_store_terms *t)
{
    set_text(&p->endpoint, t->endpoint);
    set_text(&p->path, t->path);
    set_text(&p->vpc_service, t->vpc_service);
    set_text(&p->vpc_owner, t->vpc_owner);
    if (t->credential_set) {
        set_text(&p->access_key_id, t->credential.access_key_id);
        set_secret(&p->secret_key, t->credential.secret);
    }
    if (span_is(t->connectivity, "PUBLIC_ENDPOINT"))
        key_set_text(&p->vpc_service, (struct span){NULL, 0});
    if (!p->vpc_service)
        key_set_text(&p->vpc_owner, (struct span){NULL, 0});
    else if (!p->vpc_owner)
        key_set_text(&p->vpc_owner, span_of(call->account));
}

static struct key_store *draft(struct call *call, const struct key_store_terms *t, enum key_store_type type)
{
    struct key_store *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->type = type;
    s->created_ns = call->time_ns;
    memcpy(s->account, call->account, sizeof s->account);
    strncpy(s->region, call->region, sizeof s->region - 1);
    set_text(&s->name, t->name);
    set_text(&s->cluster_id, t->cluster_id);
    set_text(&s->trust_anchor, t->trust_anchor);
    set_secret(&s->password, t->password);
    if (type == KEY_STORE_EXTERNAL)
        apply_proxy(call, &s->proxy, t);
    return s;
}

static const struct fault *check_connectivity(struct call *call, const struct key_store_terms *t,
                                              const struct xks_proxy *p)
{
    if (span_is(t->connectivity, "VPC_ENDPOINT_SERVICE") && !p->vpc_service)
        return call_fault(call, &fault_validation,
                          "XksProxyVpcEndpointServiceName is required for the connectivity VPC_ENDPOINT_SERVICE.");
    if (t->vpc_service.n && !p->vpc_service)
        return call_fault(call, &fault_validation,
                          "XksProxyVpcEndpointServiceName is not valid for the connectivity PUBLIC_ENDPOINT.");
    return NULL;
}

// A public proxy is asked for its health before there is a key store; one behind a VPC endpoint service when it
// connects.
static const struct fault *check_draft(struct call *call, const struct key_store_terms *t, const struct key_store *s)
{
    const struct fault *fault;
    if (s->type == KEY_STORE_CLOUDHSM) {
        fault = check_cluster(call, t->cluster_id, t->trust_anchor, NULL);
        return fault ? fault
                     : key_store_cluster_fault(
                           call, t->cluster_id,
                           cloudhsm_check(kmsd_of(call)->cloudhsm, t->cluster_id, t->trust_anchor, HSMS_NEEDED));
    }
    fault = check_connectivity(call, t, &s->proxy);
    if (!fault)
        fault = check_proxy(call, &s->proxy, NULL);
    return fault || s->proxy.vpc_service ? fault : check_health(call, &s->proxy);
}

const struct fault *create_key_store(struct call *call)
{
    struct create_key_store_params *p = call->params;
    const struct key_store_terms *t = &p->terms;
    enum key_store_type type = span_is(t->type, "EXTERNAL_KEY_STORE") ? KEY_STORE_EXTERNAL : KEY_STORE_CLOUDHSM;
    const struct fault *fault = check_members(call, t, type);
    if (!fault)
        fault = check_complete(call, t, type);
    if (!fault)
        fault = check_name(call, t->name, NULL);
    if (!fault && realm_of(call)->key_stores.n >= KEY_STORES_PER_REALM)
        fault = call_fault(call, &fault_limit_exceeded, "There are %d custom key stores already, which is the limit.",
                           KEY_STORES_PER_REALM);
    if (fault)
        return fault;
    struct key_store *s = draft(call, t, type);
    fault = check_draft(call, t, s);
    if (fault) {
        key_store_free(s);
        return fault;
    }
    keyring_create_key_store(kmsd_of(call)->keyring, s);
    p->made = s;
    call->needs_commit = true;
    json_obj_begin(&call->out);
    json_kcstr(&call->out, "CustomKeyStoreId", s->id);
    json_obj_end(&call->out);
    return NULL;
}

void create_key_store_trail_response(struct json_write *w, struct call *call)
{
    const struct create_key_store_params *p = call->params;
    json_obj_begin(w);
    json_kcstr(w, "customKeyStoreId", p->made->id);
    json_obj_end(w);
}

// ---- UpdateCustomKeyStore ----

// A new name needs no other state; new credentials and paths of a proxy can be told while it is connected.
static const struct fault *check_state(struct call *call, const struct key_store_terms *t, const struct key_store *s)
{
    bool must_be_apart =
        t->cluster_id.p || t->password.p || t->endpoint.p || t->vpc_service.p || t->vpc_owner.p || t->connectivity.p;
    if (s->state == STORE_DISCONNECTED || (s->state == STORE_CONNECTED && !must_be_apart))
        return NULL;
    return call_fault(call, &fault_store_state,
                      "Custom key store %s is in the connection state %s, in which these properties cannot be changed.",
                      s->id, connection_state_names[s->state]);
}

static const struct fault *check_new_cluster(struct call *call, const struct key_store *s, struct span cluster_id)
{
    struct span trust_anchor = span_of(s->trust_anchor);
    enum cluster_trouble trouble = cloudhsm_check(kmsd_of(call)->cloudhsm, cluster_id, trust_anchor, HSMS_NEEDED);
    if (trouble == CLUSTER_OTHER_CERTIFICATE)
        return call_fault(call, &fault_cluster_not_related,
                          "CloudHSM cluster %.*s does not share the backup history of %s.", (int)cluster_id.n,
                          cluster_id.p, s->cluster_id);
    const struct fault *fault = check_cluster(call, cluster_id, trust_anchor, s);
    return fault ? fault : key_store_cluster_fault(call, cluster_id, trouble);
}

// The proxy as it will be; the caller frees it.
static struct xks_proxy next_proxy(struct call *call, const struct key_store *s, const struct key_store_terms *t)
{
    struct xks_proxy next = {0};
    key_set_text(&next.endpoint, span_of(s->proxy.endpoint));
    key_set_text(&next.path, span_of(s->proxy.path));
    key_set_text(&next.vpc_service, span_of(s->proxy.vpc_service));
    key_set_text(&next.vpc_owner, span_of(s->proxy.vpc_owner));
    key_set_text(&next.access_key_id, span_of(s->proxy.access_key_id));
    set_secret(&next.secret_key, secret_span(&s->proxy.secret_key));
    apply_proxy(call, &next, t);
    return next;
}

static const struct fault *update_proxy(struct call *call, struct key_store *s, const struct key_store_terms *t)
{
    struct xks_proxy next = next_proxy(call, s, t);
    const struct fault *fault = check_connectivity(call, t, &next);
    if (!fault)
        fault = check_proxy(call, &next, s);
    if (!fault)
        fault = check_health(call, &next);
    if (fault) {
        xks_proxy_done(&next);
        return fault;
    }
    xks_proxy_done(&s->proxy);
    s->proxy = next;
    return NULL;
}

static const struct fault *update_backing(struct call *call, struct key_store *s, const struct key_store_terms *t)
{
    if (s->type == KEY_STORE_EXTERNAL)
        return changes_proxy(t) ? update_proxy(call, s, t) : NULL;
    const struct fault *fault = t->cluster_id.p ? check_new_cluster(call, s, t->cluster_id) : NULL;
    if (fault)
        return fault;
    set_text(&s->cluster_id, t->cluster_id);
    set_secret(&s->password, t->password);
    return NULL;
}

const struct fault *update_key_store(struct call *call)
{
    struct update_key_store_params *p = call->params;
    const struct key_store_terms *t = &p->terms;
    struct key_store *s;
    const struct fault *fault = key_store_find(call, p->id, &s);
    if (!fault)
        fault = check_members(call, t, s->type);
    if (!fault)
        fault = check_state(call, t, s);
    if (!fault && t->name.p)
        fault = check_name(call, t->name, s);
    if (!fault)
        fault = update_backing(call, s, t);
    if (fault)
        return fault;
    set_text(&s->name, t->name);
    keyring_save_key_store(kmsd_of(call)->keyring, s);
    p->told = key_store_tell(call, s);
    call->needs_commit = true;
    json_obj_begin(&call->out);
    json_obj_end(&call->out);
    return NULL;
}

bool update_key_store_trail(struct json_write *w, struct call *call)
{
    const struct update_key_store_params *p = call->params;
    if (call->fault || !p->told.name)
        return false;
    if (w)
        key_store_tell_trail(w, &p->told);
    return true;
}
