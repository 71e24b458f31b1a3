// Who calls: the identity behind an access key, immutable and counted, shared between threads.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/auth/policy.h"

enum principal_type {
    PRINCIPAL_ROOT,         // arn:aws:iam::ACCT:root
    PRINCIPAL_USER,         // arn:aws:iam::ACCT:user/NAME
    PRINCIPAL_ROLE_SESSION, // arn:aws:sts::ACCT:assumed-role/ROLE/SESSION
    PRINCIPAL_SERVICE,      // an AWS service, e.g. DynamoDB: `service` says which
};

struct principal {
    enum principal_type type;
    char account[13];          // 12 digits; empty for a service
    const char *arn;           // as above; for a service "dynamodb.amazonaws.com"
    const char *principal_id;  // account id, AIDA…, AROA…:SESSION
    const char *name;          // user name or session name; NULL for root and services
    const char *access_key_id; // the key this caller signed with
    // Role sessions:
    const char *role_arn;  // arn:aws:iam::ACCT:role/ROLE
    const char *role_name; // ROLE
    const char *role_id;   // AROA…
    int64_t session_start_ns;
    // Services:
    const char *service; // "dynamodb"
    // What identity policies say. full_rights: everything is allowed by identity (root, and --auth=open's user
    // `local`).
    bool full_rights;
    const struct policy *const *policies;
    size_t policies_n;
};

const struct principal *principal_ref(const struct principal *p);
void principal_unref(const struct principal *p);
