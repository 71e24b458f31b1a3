// Policy documents, read once and strictly: what is not understood is refused with a reason, never ignored.
// Source: IAM User Guide, "Grammar of the IAM JSON policy language".
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth/policy_internal.h"
#include "common/base/ids.h"
#include "common/base/json_read.h"

// Key policies have at most 32 KiB (KMS quotas); longer ones of users do not occur.
#define DOCUMENT_MAX (32 * 1024)
#define STATEMENTS_MAX 256
#define SHOWN_MAX 64
// AWS's sentence, as recorded.
#define INVALID_PRINCIPALS "Policy contains a statement with one or more invalid principals."

struct parse {
    struct policy *policy;
    char *why;
    size_t why_size;
    size_t statement; // index, for reasons
};

static bool refuse(struct parse *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(struct parse *x, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (x->why)
        snprintf(x->why, x->why_size, "%s", text);
    return false;
}

// How much of a text of theirs a reason shows; not half a UTF-8 character.
static int shown(const char *text)
{
    size_t n = strnlen(text, SHOWN_MAX);
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}

static bool refuse_statement(struct parse *x, const char *what)
{
    return refuse(x, "Statement[%zu]: %s", x->statement, what);
}

static struct span keep(struct parse *x, struct span text)
{
    return (struct span){arena_strndup(&x->policy->arena, text.p, text.n), text.n};
}

// A text or a list of texts.
static bool read_texts(struct parse *x, const json_t *value, const char *element, const struct span **out, size_t *n)
{
    char reason[96];
    snprintf(reason, sizeof reason, "%s must be a text or a list of texts", element);
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count == 0)
        return refuse_statement(x, reason);
    struct span *list = arena_alloc(&x->policy->arena, count * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item))
            return refuse_statement(x, reason);
        list[i] = keep(x, json_span(item));
        if (memchr(list[i].p, '\0', list[i].n))
            return refuse_statement(x, "texts must not hold U+0000");
        if (memmem(list[i].p, list[i].n, "${", 2))
            return refuse_statement(x, "policy variables are not supported");
    }
    *out = list;
    *n = count;
    return true;
}

// "arn:aws:iam::111122223333:…" -> whether it is sts, account and what follows it; also of the other partitions.
static bool cut_arn(struct span arn, bool *sts, struct span *account, struct span *rest)
{
    static const char *const starts[] = {"arn:aws:iam::",      "arn:aws:sts::",        "arn:aws-cn:iam::",
                                         "arn:aws-cn:sts::",   "arn:aws-us-gov:iam::", "arn:aws-us-gov:sts::",
                                         "arn:aws-eusc:iam::", "arn:aws-eusc:sts::",   NULL};
    for (const char *const *s = starts; *s; s++) {
        size_t n = strlen(*s);
        if (!span_starts(arn, *s) || arn.n < n + 14 || arn.p[n + 12] != ':')
            continue;
        *sts = span_ends((struct span){*s, n}, ":sts::");
        *account = (struct span){arn.p + n, 12};
        *rest = (struct span){arn.p + n + 13, arn.n - n - 13};
        return id_is_account(*account);
    }
    return false;
}

// "user/NAME" and "role/NAME" of IAM, "assumed-role/ROLE/SESSION" and "federated-user/NAME" of STS
static bool names_identity(bool sts, struct span rest)
{
    static const char *const iam_kinds[] = {"user/", "role/", NULL};
    static const char *const sts_kinds[] = {"assumed-role/", "federated-user/", NULL};
    for (const char *const *k = sts ? sts_kinds : iam_kinds; *k; k++)
        if (span_starts(rest, *k) && rest.n > strlen(*k))
            return !memchr(rest.p, '*', rest.n) && !memchr(rest.p, '?', rest.n);
    return false;
}

static bool is_principal_id(struct span s)
{
    return s.n >= 16 && s.n <= 128 && (span_starts(s, "AIDA") || span_starts(s, "AROA"));
}

static bool read_aws_principal(struct parse *x, struct span text, struct policy_principal *out)
{
    bool sts;
    struct span account, rest;
    *out = (struct policy_principal){POLICY_PRINCIPAL_AWS, text};
    if (span_is(text, "*")) {
        out->kind = POLICY_PRINCIPAL_ANY;
    } else if (id_is_account(text)) {
        out->kind = POLICY_PRINCIPAL_ACCOUNT;
    } else if (cut_arn(text, &sts, &account, &rest)) {
        if (!sts && span_is(rest, "root"))
            *out = (struct policy_principal){POLICY_PRINCIPAL_ACCOUNT, account};
        else if (!names_identity(sts, rest))
            return refuse(x, "%s", INVALID_PRINCIPALS);
    } else if (!is_principal_id(text)) {
        return refuse(x, "%s", INVALID_PRINCIPALS);
    }
    return true;
}

static bool read_service_principal(struct parse *x, struct span text, struct policy_principal *out)
{
    if (!span_ends(text, ".amazonaws.com") || memchr(text.p, '*', text.n))
        return refuse(x, "%s", INVALID_PRINCIPALS);
    *out = (struct policy_principal){POLICY_PRINCIPAL_SERVICE, text};
    return true;
}

static bool add_principals(struct parse *x, const char *kind, const json_t *value, struct policy_principal *to,
                           size_t *n)
{
    const struct span *texts;
    size_t count;
    bool aws = strcmp(kind, "AWS") == 0;
    if (!aws && strcmp(kind, "Service") != 0)
        return refuse_statement(x, "only AWS and Service principals are supported");
    if (!read_texts(x, value, "Principal", &texts, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct policy_principal *p = &to[(*n)++];
        if (!(aws ? read_aws_principal(x, texts[i], p) : read_service_principal(x, texts[i], p)))
            return false;
    }
    return true;
}

static size_t count_texts(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : 1;
}

static bool read_principal(struct parse *x, const json_t *value, struct policy_statement *s)
{
    if (json_is_string(value) && span_is(json_span(value), "*")) {
        struct policy_principal *any = arena_alloc(&x->policy->arena, sizeof *any);
        *any = (struct policy_principal){POLICY_PRINCIPAL_ANY, {"*", 1}};
        s->principals = any;
        s->principals_n = 1;
        return true;
    }
    if (!json_is_object(value) || json_object_size(value) == 0)
        return refuse_statement(x, "Principal must be \"*\" or an object");
    size_t total = 0;
    for (void *it = json_object_iter((json_t *)value); it; it = json_object_iter_next((json_t *)value, it))
        total += count_texts(json_object_iter_value(it));
    struct policy_principal *list = arena_alloc(&x->policy->arena, (total + 1) * sizeof *list);
    for (void *it = json_object_iter((json_t *)value); it; it = json_object_iter_next((json_t *)value, it))
        if (!add_principals(x, json_object_iter_key(it), json_object_iter_value(it), list, &s->principals_n))
            return false;
    s->principals = list;
    return true;
}

// Booleans may be written as JSON booleans.
static bool read_condition_values(struct parse *x, const json_t *value, struct policy_condition *c)
{
    if (json_is_boolean(value)) {
        struct span *one = arena_alloc(&x->policy->arena, sizeof *one);
        *one = span_of(json_is_true(value) ? "true" : "false");
        c->values = one;
        c->values_n = 1;
    } else if (!read_texts(x, value, "a condition's value", &c->values, &c->values_n)) {
        return false;
    }
    for (size_t i = 0; c->operator->valid && i<c->values_n; i++)
        if (!c->operator->valid(c->values[i]))
            return refuse_statement(x, "a condition's value does not fit its operator");
    return true;
}

static bool read_condition_block(struct parse *x, const char *name, const json_t *keys, struct policy_condition *to,
                                 size_t *n)
{
    const struct policy_operator *operator= policy_operator_find(name);
    if (!operator)
        return refuse(x, "Statement[%zu]: the condition operator %.*s is not supported", x->statement, shown(name),
                      name);
    if (!json_is_object(keys) || json_object_size(keys) == 0)
        return refuse_statement(x, "a condition must name its keys");
    for (void *it = json_object_iter((json_t *)keys); it; it = json_object_iter_next((json_t *)keys, it)) {
        struct span key = span_of(json_object_iter_key(it));
        if (!policy_condition_key_known(key))
            return refuse(x, "Statement[%zu]: the condition key %.*s is not supported", x->statement, shown(key.p),
                          key.p);
        struct policy_condition *c = &to[(*n)++];
        *c = (struct policy_condition){.operator= operator, .key = keep(x, key)};
        if (!read_condition_values(x, json_object_iter_value(it), c))
            return false;
    }
    return true;
}

static bool read_conditions(struct parse *x, const json_t *value, struct policy_statement *s)
{
    if (!json_is_object(value))
        return refuse_statement(x, "Condition must be an object");
    size_t total = 0;
    for (void *it = json_object_iter((json_t *)value); it; it = json_object_iter_next((json_t *)value, it))
        total += json_object_size(json_object_iter_value(it));
    struct policy_condition *list = arena_alloc(&x->policy->arena, (total + 1) * sizeof *list);
    for (void *it = json_object_iter((json_t *)value); it; it = json_object_iter_next((json_t *)value, it))
        if (!read_condition_block(x, json_object_iter_key(it), json_object_iter_value(it), list, &s->conditions_n))
            return false;
    s->conditions = list;
    return true;
}

static bool read_effect(struct parse *x, const json_t *value, struct policy_statement *s)
{
    struct span text = json_span(value);
    if (span_is(text, "Allow"))
        s->effect = POLICY_ALLOW;
    else if (span_is(text, "Deny"))
        s->effect = POLICY_DENY;
    else
        return refuse_statement(x, "Effect must be Allow or Deny");
    return true;
}

// Only identity policies ask for Sids of their own; AWS's key policy for Secrets Manager has one twice.
static bool read_sid(struct parse *x, const json_t *value, struct policy_statement *s,
                     const struct policy_statement *before)
{
    if (!json_is_string(value) || memchr(json_string_value(value), '\0', json_string_length(value)))
        return refuse_statement(x, "Sid must be a text");
    s->sid = keep(x, json_span(value)).p;
    if (x->policy->kind != POLICY_IDENTITY)
        return true;
    for (const struct policy_statement *other = before; other < s; other++)
        if (other->sid && *s->sid && strcmp(other->sid, s->sid) == 0)
            return refuse(x, "Statement[%zu]: the Sid %.*s is used twice", x->statement, shown(s->sid), s->sid);
    return true;
}

static bool actions_valid(struct parse *x, const struct policy_statement *s)
{
    for (size_t i = 0; i < s->actions_n; i++)
        if (!span_is(s->actions[i], "*") && !memchr(s->actions[i].p, ':', s->actions[i].n))
            return refuse_statement(x, "Action must be \"*\" or service:Action");
    return true;
}

static bool resources_valid(struct parse *x, const struct policy_statement *s)
{
    for (size_t i = 0; i < s->resources_n; i++)
        if (!span_is(s->resources[i], "*") && !span_starts(s->resources[i], "arn:"))
            return refuse_statement(x, "Resource must be \"*\" or an ARN");
    return true;
}

static bool read_element(struct parse *x, const char *name, const json_t *value, struct policy_statement *s,
                         const struct policy_statement *before)
{
    if (strcmp(name, "Effect") == 0)
        return read_effect(x, value, s);
    if (strcmp(name, "Sid") == 0)
        return read_sid(x, value, s, before);
    if (strcmp(name, "Action") == 0)
        return read_texts(x, value, "Action", &s->actions, &s->actions_n) && actions_valid(x, s);
    if (strcmp(name, "Resource") == 0)
        return read_texts(x, value, "Resource", &s->resources, &s->resources_n) && resources_valid(x, s);
    if (strcmp(name, "Condition") == 0)
        return read_conditions(x, value, s);
    if (strcmp(name, "Principal") == 0 && x->policy->kind == POLICY_RESOURCE)
        return read_principal(x, value, s);
    return refuse(x, "Statement[%zu]: the element %.*s is not supported", x->statement, shown(name), name);
}

static bool read_statement(struct parse *x, const json_t *value, struct policy_statement *s,
                           const struct policy_statement *before)
{
    if (!json_is_object(value))
        return refuse_statement(x, "must be an object");
    for (void *it = json_object_iter((json_t *)value); it; it = json_object_iter_next((json_t *)value, it))
        if (!read_element(x, json_object_iter_key(it), json_object_iter_value(it), s, before))
            return false;
    if (s->effect == POLICY_NONE)
        return refuse_statement(x, "Effect is missing");
    if (!s->actions_n)
        return refuse_statement(x, "Action is missing");
    if (!s->resources_n)
        return refuse_statement(x, "Resource is missing");
    if (x->policy->kind == POLICY_RESOURCE && !s->principals_n)
        return refuse_statement(x, "Principal is missing");
    return true;
}

static bool read_statements(struct parse *x, const json_t *value)
{
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    if (n == 0 || n > STATEMENTS_MAX)
        return refuse(x, "Statement must have 1 to %d elements", STATEMENTS_MAX);
    struct policy_statement *list = arena_alloc(&x->policy->arena, n * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        x->statement = i;
        if (!read_statement(x, json_is_array(value) ? json_array_get(value, i) : value, &list[i], list))
            return false;
    }
    x->policy->statements = list;
    x->policy->statements_n = n;
    return true;
}

static bool read_document(struct parse *x, const json_t *document)
{
    if (!json_is_object(document))
        return refuse(x, "the policy must be an object");
    for (void *it = json_object_iter((json_t *)document); it; it = json_object_iter_next((json_t *)document, it)) {
        const char *name = json_object_iter_key(it);
        const json_t *value = json_object_iter_value(it);
        struct span text = json_span(value);
        if (strcmp(name, "Version") == 0) {
            if (!span_is(text, "2012-10-17") && !span_is(text, "2008-10-17"))
                return refuse(x, "Version must be 2012-10-17 or 2008-10-17");
        } else if (strcmp(name, "Id") == 0) {
            if (!json_is_string(value))
                return refuse(x, "Id must be a text");
        } else if (strcmp(name, "Statement") != 0) {
            return refuse(x, "the element %.*s is not supported", shown(name), name);
        }
    }
    const json_t *statements = json_object_get(document, "Statement");
    return statements ? read_statements(x, statements) : refuse(x, "Statement is missing");
}

struct policy *policy_from_json(const json_t *document, enum policy_kind kind, char *why, size_t why_size)
{
    struct policy *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->kind = kind;
    arena_init(&p->arena);
    struct parse x = {.policy = p, .why = why, .why_size = why_size};
    if (read_document(&x, document))
        return p;
    policy_free(p);
    return NULL;
}

struct policy *policy_parse(struct span text, enum policy_kind kind, char *why, size_t why_size)
{
    if (text.n > DOCUMENT_MAX) {
        if (why)
            snprintf(why, why_size, "the policy is longer than %d bytes", DOCUMENT_MAX);
        return NULL;
    }
    json_t *document = json_read_unique(text, why, why_size);
    if (!document)
        return NULL;
    struct policy *p = policy_from_json(document, kind, why, why_size);
    json_decref(document);
    return p;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    arena_done(&p->arena);
    free(p);
}
