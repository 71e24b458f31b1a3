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
