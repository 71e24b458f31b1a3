// GenerateRandom.
#include "kmsd/op_random.h"

#include "common/base/rng.h"
#include "kmsd/faults.h"
#include "kmsd/op_key_store.h"
#include "kmsd/recipient.h"

const struct param generate_random_rows[] = {
    {.name = "NumberOfBytes",
     .type = PARAM_INTEGER,
     .offset = PARAM_AT(random_params, bytes),
     .trail = PARAM_HIDDEN,
     .min = 1,
     .max = KMS_RANDOM_MAX},
    {.name = "CustomKeyStoreId",
     .type = PARAM_STRING,
     .offset = PARAM_AT(random_params, custom_key_store_id),
     .min = 1,
     .max = 64},
    ROW_RECIPIENT,
    {NULL},
};

// The random bytes of a cluster come from where all others do.
static const struct fault *check_cluster(struct call *call, struct span id)
{
    struct key_store *s;
    const struct fault *fault = key_store_find(call, id, &s);
    if (fault)
        return fault;
    if (s->type != KEY_STORE_CLOUDHSM)
        return call_fault(call, &fault_unsupported, "Custom key store %s is an external key store.", s->id);
    return key_store_connected(call, s);
}

const struct fault *generate_random(struct call *call)
{
    const struct random_params *p = call->params;
    struct json_write *w = &call->out;
    if (!p->bytes.set)
        return call_fault(call, &fault_validation, "NumberOfBytes is required.");
    const struct fault *fault = p->custom_key_store_id.p ? check_cluster(call, p->custom_key_store_id) : NULL;
    if (fault)
        return fault;
    size_t n = (size_t)p->bytes.v;
    void *bytes = call_secret_alloc(call, n);
    rng_secret(bytes, n);
    json_obj_begin(w);
    fault = recipient_write(call, "Plaintext", (struct span){bytes, n});
    json_obj_end(w);
    return fault;
}
