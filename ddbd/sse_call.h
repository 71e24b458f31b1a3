// What CreateTable and UpdateTable ask of KMS before they answer: is the key there, may the caller give the service a
// grant on it, can the old table key still be had (spec 9, 10, 31, 32, 35).
#pragma once

#include "common/rpc/call.h"
#include "ddbd/sse.h"

struct sse_call {
    struct call *call;
    struct sse_wish wish;
    const struct table_info *changing; // not owned; NULL: a new table
    int step;
    bool finished;
    const struct fault *fault;
    const char *detail;
    // Results:
    char key_arn[KMS_ARN_SIZE];
    char grants[TABLE_GRANTS][GRANT_ID_SIZE];
    char *grant_token;     // for the first use of the new grants
    struct secret old_key; // plaintext of the old table key; empty for a new table and under the owned key
};

// NULL when all is there (call->state->sse), call_pending while it is asked for (the step then runs again), or the
// fault.
MUST_CHECK const struct fault *sse_call_run(struct call *call, const struct sse_wish *wish,
                                            const struct table_info *changing);
// The results were not used after all (somebody else took the table's name): retires the grants.
void sse_call_undo(struct sse_call *s);
void sse_call_free(struct sse_call *s); // NULL is fine
