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

static bool string_equals_ignore_case(struct span request, struct span policy)
{
    return span_ieq(request, policy);
}

static bool bool_valid(struct span policy)
{
    return span_ieq(policy, SPAN("true")) || span_ieq(policy, SPAN("false"));
}

static const struct policy_operator operators[] = {
    {"StringEquals", string_equals, NULL},
    {"StringEqualsIgnoreCase", string_equals_ignore_case, NULL},
    {"StringLike", string_like, NULL},
    {"Bool", string_equals_ignore_case, bool_valid},
};

const struct policy_operator *policy_operator_find(const char *name)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strcmp(operators[i].name, name) == 0)
            return &operators[i];
    return NULL;
}

// A name that ends in ':' takes a tail, one that ends in '#' the number of a PCR instead.
static const char *const condition_keys[] = {"kms:CallerAccount",
                                             "kms:ViaService",
                                             "kms:GrantIsForAWSResource",
                                             "kms:EncryptionContext:",
                                             "kms:RecipientAttestation:ImageSha384",
                                             "kms:RecipientAttestation:PCR#",
                                             "kms:RecipientAttestation:NitroTPMPCR#",
                                             NULL};

// "0" to "31", written as such.
static bool is_pcr(struct span s)
{
    if (s.n == 1)
        return isdigit((unsigned char)s.p[0]);
    return s.n == 2 && s.p[1] >= '0' &&
           (s.p[0] == '3' ? s.p[1] <= '1' : s.p[0] >= '1' && s.p[0] <= '2' && s.p[1] <= '9');
}

bool policy_condition_key_known(struct span key)
{
    for (const char *const *k = condition_keys; *k; k++) {
        size_t n = strlen(*k);
        char end = (*k)[n - 1];
        if (end == '#')
            n--;
        if (key.n < n || !span_ieq((struct span){key.p, n}, (struct span){*k, n}))
            continue;
        struct span tail = {key.p + n, key.n - n};
        if (end == ':' ? tail.n > 0 : end == '#' ? is_pcr(tail) : tail.n == 0)
            return true;
    }
    return false;
}
