// Request rates: how many calls of an operation, or of a family of them, an account may make in a Region each second.
// Off unless --throttle says which. Source: AWS KMS Developer Guide, "Request quotas".
#pragma once

#include "common/rpc/call.h"

struct throttle;

// text: figures by comma, "NAME=CALLS_PER_SECOND", later ones replacing earlier ones; the word "aws" means all of AWS's
// own. A NAME is an operation or one of the quotas of throttle_quotas.c. NULL with a reason.
struct throttle *throttle_new(const char *text, char *why, size_t why_size);
void throttle_free(struct throttle *t); // NULL is fine

// The call, whose key is known, counts against its quotas; ThrottlingException when one of them is used up. Any thread.
// now_ns: the real monotonic clock's.
MUST_CHECK const struct fault *throttle_call(struct throttle *t, struct call *call, int64_t now_ns);

// One quota's bucket: it holds what may be asked at once (a second's calls, but at least one), and fills again at its
// rate. For throttle.c and its test.
struct throttle_bucket {
    double tokens;
    int64_t at_ns; // when there were so many; 0: it is new, and full
};
// Whether it has n; nothing is taken.
bool throttle_bucket_has(struct throttle_bucket *b, double rate, double n, int64_t now_ns);
