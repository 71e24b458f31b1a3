// The rules of server-side encryption. sse_call.c applies them to requests, sse_work.c drives the phases,
// table_describe.c shows the outcome.
#include "ddbd/sse.h"

#include <stdio.h>
#include <string.h>

#include "common/base/time_format.h"
#include "ddbd/faults.h"

#define INVALID "One or more parameter values were invalid: "

static const struct fault *invalid(char detail[SSE_DETAIL_SIZE], const char *text)
{
    snprintf(detail, SSE_DETAIL_SIZE, INVALID "%s", text);
    return &fault_validation;
}

const struct fault *sse_read(const struct sse_specification *s, struct sse_wish *wish, char detail[SSE_DETAIL_SIZE])
{
    bool off = s->enabled.set && !s->enabled.v;
    bool kms = span_is(s->type, "KMS");
    *wish = (struct sse_wish){SSE_OWNED, {NULL, 0}};
    if (off && s->type.p)
        return invalid(detail, "SSEType can not be specified if Enabled is false");
    if (off && s->key_id.p)
        return invalid(detail, "KMSMasterKeyId can not be specified if Enabled is false");
    if (s->type.p && !kms)
        return invalid(detail, "SSEType AES256 is not supported");
    if (s->key_id.p && !kms)
        return invalid(detail, "SSEType KMS is required if KMSMasterKeyId is specified");
    if (!kms && !(s->enabled.set && s->enabled.v))
        return NULL;
    wish->kind = SSE_KMS;
    wish->key_id = s->key_id.p ? s->key_id : SPAN(SSE_MANAGED_ALIAS);
    return NULL;
}

static void iso_ms(int64_t ns, char out[32])
{
    char seconds[TIME_ISO_SIZE];
    time_iso(ns, seconds);
    seconds[TIME_ISO_SIZE - 2] = '\0'; // without the Z
    snprintf(out, 32, "%s.%03dZ", seconds, (int)(ns / 1000000 % 1000));
}

static bool window_over(const struct table_info *t, int64_t now_ns)
{
    return now_ns >= t->sse_window_ns + SSE_WINDOW_NS;
}

static const struct fault *check_quota(const struct table_info *t, int64_t now_ns, char detail[SSE_DETAIL_SIZE])
{
    if (window_over(t, now_ns) || t->sse_changes < SSE_FREE_CHANGES || now_ns >= t->sse_changed_ns + SSE_QUIET_NS)
        return NULL;
    char end[32], last[32], next[32];
    iso_ms(t->sse_window_ns + SSE_WINDOW_NS, end);
    iso_ms(t->sse_changed_ns, last);
    iso_ms(t->sse_changed_ns + SSE_QUIET_NS, next);
    snprintf(detail, SSE_DETAIL_SIZE,
             "Subscriber limit exceeded: Encryption mode changes are limited in the 24h window ending at %s. After the "
             "first %d change, each subsequent change in the same window can be performed at most once every %lld "
             "seconds. Number of updates today: %lld. Last change at %s. Next changes can be made at %s.",
             end, SSE_FREE_CHANGES, (long long)(SSE_QUIET_NS / 1000000000), (long long)t->sse_changes, last, next);
    return &fault_limit_exceeded;
}

const struct fault *sse_may_change(const struct table_info *t, const struct sse_wish *wish, int64_t now_ns,
                                   char detail[SSE_DETAIL_SIZE])
{
    if (t->phase != SSE_STEADY) {
        snprintf(detail, SSE_DETAIL_SIZE,
                 "Attempt to change a resource which is still in use: Table: %s is in the process of being updated.",
                 t->name);
        return &fault_in_use;
    }
    if (wish->kind == SSE_OWNED)
        return t->key.kind == SSE_OWNED ? invalid(detail, "Table is already encrypted by default") : NULL;
    const struct fault *fault = check_quota(t, now_ns, detail);
    if (fault)
        return fault;
    // Only the very ARN is recognised; the same key by id or alias runs a full change (spec 28).
    if (t->key.kind == SSE_KMS && span_is(wish->key_id, t->key.kms_arn))
        return invalid(detail, "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if "
                               "you want to change Master Key");
    return NULL;
}

void sse_count_change(struct table_info *t, int64_t now_ns)
{
    if (window_over(t, now_ns)) {
        t->sse_window_ns = now_ns;
        t->sse_changes = 0;
    }
    t->sse_changes++;
    t->sse_changed_ns = now_ns;
}

// ---- phases ----

void sse_begin(struct table_info *t, enum sse_kind kind, const char *kms_arn,
               const char grants[TABLE_GRANTS][GRANT_ID_SIZE])
{
    memset(&t->other, 0, sizeof t->other);
    t->other.version = t->key.version + 1;
    t->other.kind = kind;
    snprintf(t->other.kms_arn, sizeof t->other.kms_arn, "%s", kms_arn);
    memcpy(t->other.grant_ids, grants, sizeof t->other.grant_ids);
    t->phase = SSE_PREPARING;
    t->phase_until_ns = 0;
}

void sse_prepared(struct table_info *t)
{
    t->phase = SSE_OLD_SHOWN;
    t->phase_until_ns = t->sse_changed_ns + SSE_OLD_SHOWN_NS;
}

int64_t sse_due(const struct table_info *t)
{
    return t->phase == SSE_OLD_SHOWN || t->phase == SSE_NEW_SHOWN ? t->phase_until_ns : INT64_MAX;
}

bool sse_advance(struct table_info *t, struct table_key *retire)
{
    if (t->phase == SSE_OLD_SHOWN) {
        struct table_key old = t->key;
        t->key = t->other;
        t->other = old;
        t->phase = SSE_NEW_SHOWN;
        t->phase_until_ns += SSE_NEW_SHOWN_NS;
        t->inaccessible_ns = 0; // a new key heals (spec 36)
        if (t->status == TABLE_INACCESSIBLE)
            t->status = TABLE_ACTIVE;
        return false;
    }
    *retire = t->other;
    memset(&t->other, 0, sizeof t->other);
    t->phase = SSE_STEADY;
    t->phase_until_ns = 0;
    return retire->kind == SSE_KMS;
}

void sse_abandon(struct table_info *t, struct table_key *retire)
{
    *retire = t->other;
    memset(&t->other, 0, sizeof t->other);
    t->phase = SSE_STEADY;
    t->phase_until_ns = 0;
}

// ---- what is shown (spec 26, 27) ----

bool sse_shown(const struct table_info *t)
{
    return t->key.kind == SSE_KMS || t->phase != SSE_STEADY;
}

const char *sse_status_text(const struct table_info *t)
{
    return t->phase == SSE_STEADY ? "ENABLED" : "UPDATING";
}
