// Server-side encryption as rules: what an SSESpecification asks for, what SSEDescription shows, how often the key may
// be changed, and the phases of a change. Pure: no KMS, no files, no clock. Source: DynamoDB developer guide,
// "Encryption at rest"; the exact sentences as recorded from the service.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/fault.h"
#include "common/base/json_write.h"
#include "common/rpc/param.h"
#include "ddbd/table_info.h"

// The service takes some 8 s and 13 s for the two phases (spec 27). A person at a local daemon, and a test, wants to
// see both and wait for neither: together one second of the daemon's clock, counted from the request, so that whoever
// moves the clock on by more than that after UpdateTable sees the end of it.
#define SSE_OLD_SHOWN_NS INT64_C(400000000)
#define SSE_NEW_SHOWN_NS INT64_C(600000000)

#define SSE_WINDOW_NS (INT64_C(86400) * 1000000000)
#define SSE_FREE_CHANGES 4
#define SSE_QUIET_NS (INT64_C(21600) * 1000000000)

#define SSE_DETAIL_SIZE 512
#define SSE_MANAGED_ALIAS "alias/aws/dynamodb"

// The request's SSESpecification.
struct sse_specification {
    struct opt_bool enabled;
    struct span type;   // p NULL: absent
    struct span key_id; // p NULL: absent
};

struct sse_wish {
    enum sse_kind kind;
    struct span key_id; // SSE_KMS: as the request names it, or SSE_MANAGED_ALIAS
};

// NULL fills the wish; else ValidationException with its sentence in detail.
MUST_CHECK const struct fault *sse_read(const struct sse_specification *s, struct sse_wish *wish,
                                        char detail[SSE_DETAIL_SIZE]);
// UpdateTable's rules that need the table and no KMS: already encrypted so, a change under way, the quota (spec 25,
// 28-30).
MUST_CHECK const struct fault *sse_may_change(const struct table_info *t, const struct sse_wish *wish, int64_t now_ns,
                                              char detail[SSE_DETAIL_SIZE]);
// Counts a change against the quota.
void sse_count_change(struct table_info *t, int64_t now_ns);

// A change begins: key_arn and grants of the new key ("" under the owned key).
void sse_begin(struct table_info *t, enum sse_kind kind, const char *kms_arn,
               const char grants[TABLE_GRANTS][GRANT_ID_SIZE]);
// The new table key is made, its wrapped forms are in t->other: what is left is a matter of time.
void sse_prepared(struct table_info *t);
// One step when phase_until_ns has come. True when t->other is the old key and its grants are now to be retired.
bool sse_advance(struct table_info *t, struct table_key *retire);
// Gives a change up that could not be prepared; the new key's grants are to be retired.
void sse_abandon(struct table_info *t, struct table_key *retire);
// When sse_advance() is due; INT64_MAX: never.
int64_t sse_due(const struct table_info *t);

// Writes SSEDescription's members through put (see table_describe.c). False: the table shows none.
bool sse_shown(const struct table_info *t);
const char *sse_status_text(const struct table_info *t);
