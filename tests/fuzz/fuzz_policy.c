// A policy document is refused with a reason, or evaluates without surprise: never allowed by a policy that has no
// Allow, deny where a deny matches. The wildcard matcher agrees with the textbook's table. Input: a policy document, or
// text, LF, pattern.
#include <stdlib.h>
#include <string.h>

#include "common/auth/policy.h"
#include "common/auth/policy_internal.h"
#include "common/auth/principal.h"
#include "common/base/json_read.h"

#define SIDE_MAX 80

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_read_setup();
    return 0;
}

static bool lookup(void *arg, struct span key, struct span *value)
{
    (void)arg;
    must(policy_condition_key_known(key));
    *value = span_ieq(key, SPAN("kms:GrantIsForAWSResource")) ? SPAN("true") : SPAN("dynamodb.us-east-1.amazonaws.com");
    return !span_ieq(key, SPAN("kms:CallerAccount"));
}

static bool has(const struct policy *p, enum policy_effect effect)
{
    for (size_t i = 0; i < p->statements_n; i++)
        if (p->statements[i].effect == effect)
            return true;
    return false;
}

static void check_policy(struct span text, enum policy_kind kind)
{
    static const struct principal callers[] = {
        {.type = PRINCIPAL_USER,
         .account = "111122223333",
         .arn = "arn:aws:iam::111122223333:user/alice",
         .principal_id = "AIDAALICEALICEALICE1"},
        {.type = PRINCIPAL_ROLE_SESSION,
         .account = "111122223333",
         .arn = "arn:aws:sts::111122223333:assumed-role/app/i-0abc",
         .principal_id = "AROAAPPAPPAPPAPPAPP1:i-0abc",
         .role_arn = "arn:aws:iam::111122223333:role/app",
         .role_id = "AROAAPPAPPAPPAPPAPP1"},
        {.type = PRINCIPAL_SERVICE, .arn = "dynamodb.amazonaws.com", .principal_id = "dynamodb.amazonaws.com"},
    };
    char why[200] = "";
    struct policy *p = policy_parse(text, kind, why, sizeof why);
    if (!p) {
        must(*why);
        return;
    }
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        struct policy_request r = {&callers[i], "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1", lookup,
                                   NULL};
        struct policy_match m = policy_evaluate(p, &r);
        must(m.effect == POLICY_NONE || has(p, m.effect));
        must(m.effect == POLICY_NONE || p->statements[m.statement].effect == m.effect);
        must(m.effect == POLICY_NONE || m.sid == p->statements[m.statement].sid);
        must(kind == POLICY_RESOURCE || !m.delegates_to_account);
        policy_keeps_access(p, &callers[i], "kms:PutKeyPolicy", "*");
    }
    policy_free(p);
}

static bool by_table(struct span text, struct span pattern)
{
    bool row[SIDE_MAX + 1], next[SIDE_MAX + 1];
    memset(row, 0, sizeof row);
    row[0] = true; // row[i]: the pattern so far matches the first i characters
    for (size_t j = 0; j < pattern.n; j++) {
        bool star = pattern.p[j] == '*', any = star && row[0];
        next[0] = any;
        for (size_t i = 1; i <= text.n; i++) {
            any = any || (star && row[i]);
            next[i] = star ? any : row[i - 1] && (pattern.p[j] == '?' || pattern.p[j] == text.p[i - 1]);
        }
        memcpy(row, next, sizeof row);
    }
    return row[text.n];
}

static void check_wildcard(struct span input)
{
    const char *end = input.n ? memchr(input.p, '\n', input.n) : NULL;
    if (!end)
        return;
    struct span text = {input.p, (size_t)(end - input.p)};
    struct span pattern = {end + 1, input.n - text.n - 1};
    if (text.n > SIDE_MAX || pattern.n > SIDE_MAX)
        return;
    bool matches = policy_wildcard(text, pattern, false);
    must(matches == by_table(text, pattern));
    must(!matches || policy_wildcard(text, pattern, true));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct span text = {(const char *)bytes, n};
    check_policy(text, POLICY_RESOURCE);
    check_policy(text, POLICY_IDENTITY);
    check_wildcard(text);
    return 0;
}
