// Look-ups in the operation table.
#include "common/rpc/op.h"

#include "common/base/buf.h"

const struct op *op_find(const struct service *service, struct span name)
{
    for (const struct op *op = service->ops; op->name; op++)
        if (span_is(name, op->name))
            return op;
    return NULL;
}

const char *op_find_unbuilt(const struct service *service, struct span name)
{
    for (const char *const *unbuilt = service->unbuilt; unbuilt && *unbuilt; unbuilt++)
        if (span_is(name, *unbuilt))
            return *unbuilt;
    return NULL;
}

bool op_is_data_event(const struct service *service, const struct op *op, const char *name)
{
    if (op)
        return op->data_event;
    for (const char *const *data = service->unbuilt_data; data && *data; data++)
        if (span_is(span_of(name), *data))
            return true;
    return false;
}
