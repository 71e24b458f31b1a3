// What a parsed policy looks like; shared by policy_parse.c and policy_eval.c only.
#pragma once

#include "common/auth/policy.h"
#include "common/base/arena.h"

enum policy_principal_kind {
    POLICY_PRINCIPAL_ANY,     // "*"
    POLICY_PRINCIPAL_ACCOUNT, // an account id or its root's ARN: value is the 12 digits
    POLICY_PRINCIPAL_AWS,     // a user, role or session ARN, or a principal id
    POLICY_PRINCIPAL_SERVICE, // "dynamodb.amazonaws.com"
};

struct policy_principal {
    enum policy_principal_kind kind;
    struct span value;
};

// One condition operator: compares a request's value with one of the policy's values.
struct policy_operator {
    const char *name;
    bool (*matches)(struct span request, struct span policy);
    bool (*valid)(struct span policy); // NULL: any text
};

struct policy_condition {
    const struct policy_operator *operator;
    struct span key;
    const struct span *values;
    size_t values_n;
};

struct policy_statement {
    enum policy_effect effect;
    const char *sid;
    const struct policy_principal *principals;
    size_t principals_n;
    const struct span *actions, *resources;
    size_t actions_n, resources_n;
    const struct policy_condition *conditions;
    size_t conditions_n;
};

struct policy {
    enum policy_kind kind;
    struct arena arena; // everything below
    const struct policy_statement *statements;
    size_t statements_n;
};

const struct policy_operator *policy_operator_find(const char *name);
// Is this a condition key that requests carry? ("kms:ViaService", "kms:EncryptionContext:…"; in any case)
bool policy_condition_key_known(struct span key);
// '*' any run, '?' any one character. fold: without regard to ASCII case.
bool policy_wildcard(struct span text, struct span pattern, bool fold);
