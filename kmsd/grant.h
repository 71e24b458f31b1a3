// Grants: what one says, when it applies to a call, and when a child may hang under it.
// Source: AWS KMS Developer Guide, "Grants in AWS KMS"; API reference, CreateGrant and GrantConstraints.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_write.h"
#include "kmsd/enc_context.h"
#include "kmsd/grant_token.h"
#include "kmsd/hash.h"
#include "kmsd/key_spec.h"

struct key;
struct grant_pile;
struct grant_bucket;

enum grant_constraint {
    GRANT_UNCONSTRAINED,
    GRANT_CONTEXT_SUBSET,
    GRANT_CONTEXT_EQUALS,
};

struct grant {
    struct key *key;
    unsigned char id[GRANT_ID_SIZE];
    char id_hex[2 * GRANT_ID_SIZE + 1];
    char *name;                                   // NULL: none
    char *grantee;                                // a principal's ARN, or a service principal
    char *retiring;                               // NULL: none
    bool grantee_is_service, retiring_is_service; // by GranteeServicePrincipal, RetiringServicePrincipal
    char issuing_account[13];
    uint32_t operations; // GRANT_BIT()s
    enum grant_constraint constraint;
    struct str_map context; // owned, sorted
    char *source_arn;       // NULL: none
    int64_t created_ns;

    // Private to grant_set.c.
    unsigned char fingerprint[32];
    struct grant_pile *pile;
    struct grant_bucket *bucket;
    struct grant *pile_prev, *pile_next;
    struct grant *bucket_prev, *bucket_next;
    UT_hash_handle hh; // named grants by fingerprint
    // Private to keyring.c.
    UT_hash_handle hh_id; // all grants by id
};

struct grant *grant_new(void);
void grant_free(struct grant *g);

// Does the grant allow the operation, given the call's encryption context and aws:SourceArn (NULL: none)? The grantee
// is not looked at. DescribeKey, RetireGrant and CreateGrant are not matched against a context.
bool grant_covers(const struct grant *g, enum grant_operation operation, const struct str_map *context,
                  const char *source_arn, enum context_case rule);
// May a holder of `parent` create `child`? Operations within the parent's, constraints at least as strict.
bool grant_child_allowed(const struct grant *parent, const struct grant *child, enum context_case rule);

// What makes two grants of a name the same: everything but id and date.
void grant_fingerprint(const struct grant *g, unsigned char out[32]);

// The stored record; its name in the store is the key's ARN, a slash and the id.
void grant_encode(const struct grant *g, struct buf *out);
struct grant *grant_decode(struct span record); // NULL: damaged. id and key are the caller's to set

// An entry of ListGrants and ListRetirableGrants.
void grant_write(const struct grant *g, struct json_write *w);
