// The endpoints of the faults: reads and judges what is asked for. What faults do is fault_rules.c's.
#include "kmsd/fault_admin.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json_read.h"
#include "common/base/time_format.h"
#include "common/rpc/worker.h"
#include "kmsd/fault_rules.h"
#include "kmsd/kmsd.h"
#include "kmsd/ops.h"

#define REPLY_MAX (4u * 1024 * 1024)
#define TEXT_MAX 2048
#define COUNT_MAX 1000000000
#define DELAY_MAX_NS (INT64_C(600) * NS_PER_S)

static struct fault_rules *rules_of(struct worker *w)
{
    return ((struct kmsd *)w->daemon->ext)->faults;
}

// ---- members; each returns what is wrong, or NULL ----

static bool read_text(const json_t *v, char **out)
{
    struct span text = json_span(v);
    if (!json_is_string(v) || text.n == 0 || text.n > TEXT_MAX || memchr(text.p, '\0', text.n))
        return false;
    *out = strndup(text.p, text.n);
    if (!*out)
        abort();
    return true;
}

static const char *read_operation(const json_t *v, struct fault_rule *r)
{
    struct span name = json_span(v);
    if (!json_is_string(v) || !op_find(&kms_service, name))
        return "operation: is no operation of KMS";
    return read_text(v, &r->operation) ? NULL : "operation: is no operation of KMS";
}

static const char *read_key(const json_t *v, struct fault_rule *r)
{
    return read_text(v, &r->key) ? NULL : "key: is a key's id, ARN, alias or alias ARN";
}

static const char *read_principal(const json_t *v, struct fault_rule *r)
{
    return read_text(v, &r->principal) &&
                   (strncmp(r->principal, "arn:", 4) == 0 || strstr(r->principal, ".amazonaws.com"))
               ? NULL
               : "principal: is an ARN or a service such as dynamodb.amazonaws.com";
}

static const char *read_count(const json_t *v, struct fault_rule *r)
{
    r->counted = true;
    r->left = json_integer_value(v);
    return json_is_integer(v) && r->left >= 1 && r->left <= COUNT_MAX ? NULL
                                                                      : "count: is a number from 1 to 1000000000";
}

static const char *read_percent(const json_t *v, struct fault_rule *r)
{
    r->percent = json_number_value(v);
    return json_is_number(v) && r->percent > 0 && r->percent <= 100 ? NULL
                                                                    : "percent: is a number above 0, at most 100";
}

static const char *read_error(const json_t *v, struct fault_rule *r)
{
    r->error = json_is_string(v) ? fault_by_code(json_span(v)) : NULL;
    return r->error ? NULL : "error: is no error code of KMS, such as ThrottlingException or KMSInternalException";
}

static const char *read_message(const json_t *v, struct fault_rule *r)
{
    return read_text(v, &r->message) ? NULL : "message: is a text of at most 2048 bytes";
}

static const char *read_delay(const json_t *v, struct fault_rule *r)
{
    double seconds = json_number_value(v);
    bool ok = true;
    if (json_is_string(v))
        ok = time_parse_duration(json_span(v), &r->delay_ns);
    else if (json_is_number(v) && seconds > 0 && seconds <= 600)
        r->delay_ns = (int64_t)(seconds * (double)NS_PER_S);
    return ok && r->delay_ns > 0 && r->delay_ns <= DELAY_MAX_NS
               ? NULL
               : "delay: is a duration such as \"250ms\", or seconds, above 0 and at most 600";
}

static const char *read_cut(const json_t *v, struct fault_rule *r)
{
    r->cut = true;
    return json_is_true(v) ? NULL : "cut: is true or left out";
}

static const struct member {
    const char *name;
    const char *(*read)(const json_t *v, struct fault_rule *r);
} members[] = {
    {"operation", read_operation}, {"key", read_key},         {"principal", read_principal},
    {"count", read_count},         {"percent", read_percent}, {"error", read_error},
    {"message", read_message},     {"delay", read_delay},     {"cut", read_cut},
};

static const struct member *find_member(const char *name)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

// False with a reason.
static bool read_rule(const json_t *v, struct fault_rule *r, char *why, size_t why_size)
{
    const char *name, *wrong = NULL;
    json_t *value;
    *r = (struct fault_rule){.percent = 100};
    if (!json_is_object(v))
        wrong = "the body is a JSON object with error, delay or cut";
    json_object_foreach((json_t *)v, name, value)
    {
        const struct member *m = find_member(name);
        if (!m) {
            snprintf(why, why_size, "%.100s: unknown member", name);
            return false;
        }
        wrong = wrong ? wrong : m->read(value, r);
    }
    if (!wrong && (r->error != NULL) + (r->delay_ns > 0) + r->cut != 1)
        wrong = "error, delay, cut: exactly one of them says what happens";
    if (!wrong && r->message && !r->error)
        wrong = "message: belongs to an error";
    if (wrong)
        snprintf(why, why_size, "%s", wrong);
    return !wrong;
}

// ---- endpoints ----

void fault_admin_post(struct worker *w, struct http_exchange *x, struct span query)
{
    (void)query;
    char why[256];
    struct fault_rule rule;
    json_t *v = json_read(http_exchange_request(x)->body, why, sizeof why);
    if (!v) {
        admin_reply_error(x, 400, "the body is no JSON: %s", why);
        return;
    }
    if (!read_rule(v, &rule, why, sizeof why)) {
        fault_rule_done(&rule);
        admin_reply_error(x, 400, "%s", why);
    } else {
        struct buf b;
        buf_init(&b, 64);
        buf_appendf(&b, "{\"id\":%lld}", (long long)fault_rules_add(rules_of(w), &rule));
        admin_reply(x, 200, buf_span(&b));
        buf_done(&b);
    }
    json_decref(v);
}

void fault_admin_get(struct worker *w, struct http_exchange *x, struct span query)
{
    (void)query;
    struct buf b;
    struct json_write j;
    buf_init(&b, REPLY_MAX);
    json_write_init(&j, &b);
    json_obj_begin(&j);
    json_key(&j, "faults");
    fault_rules_write(rules_of(w), &j);
    json_obj_end(&j);
    if (buf_ok(&b))
        admin_reply(x, 200, buf_span(&b));
    else
        admin_reply_error(x, 500, "too many to be shown");
    buf_done(&b);
}

void fault_admin_delete(struct worker *w, struct http_exchange *x, struct span query)
{
    struct span id = admin_query(query, "id");
    int64_t n = 0;
    for (size_t i = 0; i < id.n && n >= 0; i++)
        n = id.p[i] >= '0' && id.p[i] <= '9' && i < 18 ? n * 10 + id.p[i] - '0' : -1;
    if (id.p && n <= 0) {
        admin_reply_error(x, 400, "id: is the number of a fault");
        return;
    }
    struct buf b;
    buf_init(&b, 64);
    buf_appendf(&b, "{\"cleared\":%zu}", fault_rules_clear(rules_of(w), n));
    admin_reply(x, 200, buf_span(&b));
    buf_done(&b);
}
