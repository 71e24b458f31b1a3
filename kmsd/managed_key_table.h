// Which AWS managed keys there are: a row for each service that has one, with what its policy says. Read by
// managed_key.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MANAGED_USES_MAX 2

// A statement that lets the account's principals use the key through a service.
struct managed_use {
    const char *sid;
    const char *const *actions; // NULL ends
    const char *service;        // of kms:ViaService: "ec2"
    bool any_region;            // kms:ViaService of every Region
};

struct managed_key {
    const char *alias;
    const char *description;
    const char *policy_id;
    struct managed_use uses[MANAGED_USES_MAX]; // a NULL sid ends
    const char *account_sid;                   // of the statement that lets the account read what there is to know
    bool revokes;                              // it may revoke grants, too
    const char *service_sid;                   // of the statement that lets a service read that; NULL: none
    const char *service_principal;
    bool predefined; // ListAliases shows its alias before there is a key
};

extern const struct managed_key managed_keys[]; // by alias
extern const size_t managed_keys_n;
