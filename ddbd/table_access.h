// From a call to its table's open file: table status, the principal's right to the table key (cached, or a Decrypt as
// that principal), the data encryption key, the file.
#pragma once

#include "common/rpc/call.h"
#include "ddbd/ddbd.h"

// Sets *file. May return call_pending: the step then runs again and asks again.
MUST_CHECK const struct fault *table_access(struct call *call, struct table **file);
// keycache_ops.open and .close; arg is the struct ddbd.
const struct fault *table_access_open(void *arg, const void *context, struct span table_key, void **opened);
void table_access_close(void *arg, void *opened);
// A damaged or full table as the client sees it.
MUST_CHECK const struct fault *table_access_fault(struct call *call, enum table_result result, struct table *file);
