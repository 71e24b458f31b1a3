// What can be asked of custom key stores that are there. Connecting itself is connect_job.c's, as it takes its time.
#include "kmsd/op_key_store.h"

#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/kmsd.h"

// ---- shared ----

const struct fault *key_store_find(struct call *call, struct span id, struct key_store **out)
{
    *out = keyring_key_store(kmsd_of(call)->keyring, id);
    if (*out && strcmp((*out)->account, call->account) == 0 && strcmp((*out)->region, call->region) == 0)
        return NULL;
    return call_fault(call, &fault_store_not_found, "Custom key store %.*s does not exist.", (int)id.n, id.p);
}

static const struct fault *wrong_state(struct call *call, const struct key_store *s)
{
    return call_fault(call, &fault_store_state,
                      "Custom key store %s is in the connection state %s, in which %s is not valid.", s->id,
                      connection_state_names[s->state], call->op->name);
}

const struct fault *key_store_connected(struct call *call, const struct key_store *s)
{
    return s->state == STORE_CONNECTED ? NULL : wrong_state(call, s);
}

const struct fault *key_store_cluster_fault(struct call *call, struct span cluster_id, enum cluster_trouble trouble)
{
    static const struct {
        const struct fault *fault;
        const char *phrase;
    } rows[] = {
        [CLUSTER_FINE] = {NULL, NULL},
        [CLUSTER_NOT_FOUND] = {&fault_cluster_not_found, "cannot be found"},
        [CLUSTER_NOT_ACTIVE] = {&fault_cluster_not_active, "is not active"},
        [CLUSTER_TOO_FEW_HSMS] = {&fault_cluster_configuration, "does not have as many active HSMs as are needed"},
        [CLUSTER_OTHER_CERTIFICATE] = {&fault_trust_anchor, "has another trust anchor certificate"},
    };
    if (trouble == CLUSTER_FINE)
        return NULL;
    return call_fault(call, rows[trouble].fault, "CloudHSM cluster %.*s %s.", (int)cluster_id.n, cluster_id.p,
                      rows[trouble].phrase);
}

// ---- trail ----

struct key_store_told key_store_tell(struct call *call, const struct key_store *s)
{
    return (struct key_store_told){
        .name = arena_strdup(&call->arena, s->name),
        .cluster_id = s->cluster_id ? arena_strdup(&call->arena, s->cluster_id) : NULL,
    };
}

void key_store_tell_trail(struct json_write *w, const struct key_store_told *told)
{
    json_obj_begin(w);
    json_kcstr(w, "customKeyStoreName", told->name);
    json_kcstr(w, "clusterId", told->cluster_id);
    json_obj_end(w);
}

bool key_store_trail(struct json_write *w, struct call *call)
{
    const struct key_store_params *p = call->params;
    if (call->fault || !p->told.name)
        return false;
    if (w)
        key_store_tell_trail(w, &p->told);
    return true;
}

// ---- DescribeCustomKeyStores ----

#define AT(member_) PARAM_AT(describe_key_stores_params, member_)

const struct param describe_key_stores_rows[] = {
    {.name = "CustomKeyStoreId", .type = PARAM_STRING, .offset = AT(id), .min = 1, .max = 64},
    {.name = "CustomKeyStoreName", .type = PARAM_STRING, .offset = AT(name), .min = 1, .max = 256},
    ROW_LIMIT(KMS_LIST_MAX),
    ROW_MARKER,
    {NULL},
};

// The one that is asked for; NULL: none.
static const struct key_store *named(const struct realm *realm, const struct describe_key_stores_params *p)
{
    for (size_t i = 0; i < realm->key_stores.n; i++) {
        const struct key_store *s = realm->key_stores.v[i];
        if (p->id.p ? span_is(p->id, s->id) : span_is(p->name, s->name))
            return s;
    }
    return NULL;
}

static const struct fault *describe_one(struct call *call, const struct realm *realm)
{
    const struct describe_key_stores_params *p = call->params;
    const struct key_store *s = named(realm, p);
    struct json_write *w = &call->out;
    struct span asked = p->id.p ? p->id : p->name;
    if (!s)
        return call_fault(call, &fault_store_not_found, "Custom key store %.*s does not exist.", (int)asked.n, asked.p);
    json_obj_begin(w);
    json_key(w, "CustomKeyStores");
    json_arr_begin(w);
    key_store_write(s, w);
    json_arr_end(w);
    json_kbool(w, "Truncated", false);
    json_obj_end(w);
    return NULL;
}

const struct fault *describe_key_stores(struct call *call)
{
    static const struct realm empty;
    const struct describe_key_stores_params *p = call->params;
    struct json_write *w = &call->out;
    struct list_page page;
    const struct realm *realm = keyring_realm(kmsd_of(call)->keyring, call->account, call->region);
    realm = realm ? realm : &empty;
    if (p->id.p && p->name.p)
        return call_fault(call, &fault_validation,
                          "You can specify CustomKeyStoreId or CustomKeyStoreName, but not both.");
    if (p->id.p || p->name.p)
        return describe_one(call, realm);
    const struct fault *fault = list_begin(call, NULL, 100, KMS_LIST_MAX, &page);
    if (fault)
        return fault;
    const struct ptr_vec *stores = &realm->key_stores;
    size_t at = realm_key_store_after(realm, page.after), end = at;
    json_obj_begin(w);
    json_key(w, "CustomKeyStores");
    json_arr_begin(w);
    for (; end < stores->n && end - at < page.limit; end++)
        key_store_write(stores->v[end], w);
    json_arr_end(w);
    struct span last = end > at ? span_of(((const struct key_store *)stores->v[end - 1])->id) : page.after;
    list_end(call, &page, end < stores->n, last);
    json_obj_end(w);
    return NULL;
}

// ---- ConnectCustomKeyStore, DisconnectCustomKeyStore, DeleteCustomKeyStore ----

const struct param key_store_id_rows[] = {
    {.name = "CustomKeyStoreId",
     .type = PARAM_STRING,
     .offset = PARAM_AT(key_store_params, id),
     .required = true,
     .min = 1,
     .max = 64},
    {NULL},
};

static const struct fault *begin(struct call *call, struct key_store **s)
{
    struct key_store_params *p = call->params;
    const struct fault *fault = key_store_find(call, p->id, s);
    if (!fault)
        p->told = key_store_tell(call, *s);
    return fault;
}

static void done(struct call *call)
{
    call->needs_commit = true;
    json_obj_begin(&call->out);
    json_obj_end(&call->out);
}

static void change(struct call *call, struct key_store *s, enum connection_state state)
{
    struct kmsd *kmsd = kmsd_of(call);
    s->state = state;
    s->error = CONNECTION_OK;
    s->until_ns = clock_after(call->time_ns, kmsd->key_store_delay_ns);
    s->attempt++;
    keyring_save_key_store(kmsd->keyring, s);
    scheduler_wake(call->daemon->scheduler);
}

const struct fault *connect_key_store(struct call *call)
{
    struct key_store *s;
    const struct fault *fault = begin(call, &s);
    if (fault)
        return fault;
    if (s->state == STORE_DISCONNECTING || s->state == STORE_FAILED)
        return wrong_state(call, s);
    if (s->state == STORE_DISCONNECTED) {
        // What else may be wrong with it shows as the connection error.
        if (s->type == KEY_STORE_CLOUDHSM && cloudhsm_check(kmsd_of(call)->cloudhsm, span_of(s->cluster_id),
                                                            span_of(s->trust_anchor), 0) == CLUSTER_NOT_ACTIVE)
            return key_store_cluster_fault(call, span_of(s->cluster_id), CLUSTER_NOT_ACTIVE);
        change(call, s, STORE_CONNECTING);
    }
    done(call);
    return NULL;
}

const struct fault *disconnect_key_store(struct call *call)
{
    struct key_store *s;
    const struct fault *fault = begin(call, &s);
    if (fault)
        return fault;
    if (s->state == STORE_DISCONNECTING || s->state == STORE_DISCONNECTED)
        return wrong_state(call, s);
    // Who keeps decisions about its keys must ask again.
    if (s->state == STORE_CONNECTED)
        changes_reset(kmsd_of(call)->changes, call->daemon->rng);
    change(call, s, kmsd_of(call)->key_store_delay_ns ? STORE_DISCONNECTING : STORE_DISCONNECTED);
    done(call);
    return NULL;
}

const struct fault *delete_key_store(struct call *call)
{
    struct key_store *s;
    const struct fault *fault = begin(call, &s);
    if (fault)
        return fault;
    if (s->keys.n > 0)
        return call_fault(call, &fault_store_has_keys, "Custom key store %s has %zu KMS keys.", s->id, s->keys.n);
    if (s->state != STORE_DISCONNECTED)
        return wrong_state(call, s);
    keyring_delete_key_store(kmsd_of(call)->keyring, s);
    done(call);
    return NULL;
}
