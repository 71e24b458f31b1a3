// The vocabulary of conditions, and wildcards: a new operator or condition key is a row here.
// Source: IAM User Guide, "IAM JSON policy elements: Condition operators"; KMS Developer Guide, "AWS KMS condition
// keys".
#include <ctype.h>
#include <string.h>

#include "common/auth/policy_internal.h"

static bool same(char a, char b, bool fold)
{
    return a == b || (fold && tolower((unsigned char)a) == tolower((unsigned char)b));
}

// Greedy with one place to come back to: linear in practice, quadratic at worst, no recursion.
bool policy_wildcard(struct span text, struct span pattern, bool fold)
{
    size_t t = 0, p = 0, star = SIZE_MAX, from = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || same(pattern.p[p], text.p[t], fold))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool string_equals(struct span request, struct span policy)
{
    return span_eq(request, policy);
}

static bool string_like(struct span request, struct span policy)
{
    return policy_wildcard(request, policy, false);
}

static bool bool_equals(struct span request, struct span policy)
{
    return span_ieq(request, policy);
}

static bool bool_valid(struct span policy)
{
    return span_ieq(policy, SPAN("true")) || span_ieq(policy, SPAN("false"));
}

static const struct policy_operator operators[] = {
    {"StringEquals", string_equals, NULL},
    {"StringLike", string_like, NULL},
    {"Bool", bool_equals, bool_valid},
};

const struct policy_operator *policy_operator_find(const char *name)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strcmp(operators[i].name, name) == 0)
            return &operators[i];
    return NULL;
}

// A name that ends in ':' takes a tail.
static const char *const condition_keys[] = {"kms:CallerAccount", "kms:ViaService", "kms:GrantIsForAWSResource",
                                             "kms:EncryptionContext:", NULL};

bool policy_condition_key_known(struct span key)
{
    for (const char *const *k = condition_keys; *k; k++) {
        size_t n = strlen(*k);
        if ((*k)[n - 1] == ':' ? key.n > n && span_ieq((struct span){key.p, n}, span_of(*k))
                               : span_ieq(key, span_of(*k)))
            return true;
    }
    return false;
}
