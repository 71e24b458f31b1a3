// The grants of one key, found by id, by what they say, and by what a call asks. Made for tens of thousands of grants
// to one grantee (a table service has two a table): grants of a grantee lie apart by their operations and their
// SourceArn, and each hangs under one pair of its context constraint, the one that fewest others hang under. A call
// looks only where its operation is allowed, for its own SourceArn, and under the pairs that it brings.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/enc_context.h"
#include "kmsd/grant.h"
#include "kmsd/ptr_vec.h"

struct grant_set {
    struct ptr_vec by_id;     // of struct grant
    struct grantee *grantees; // hash by principal
    struct grant *named;      // hash by fingerprint
};

// Takes the grant over: it is freed with the set or when it is removed. Its id, fingerprint and terms are final.
void grant_set_add(struct grant_set *s, struct grant *g);
void grant_set_remove(struct grant_set *s, struct grant *g); // frees it
void grant_set_done(struct grant_set *s);                    // frees all
struct grant *grant_set_find(const struct grant_set *s, const unsigned char id[GRANT_ID_SIZE]);
// A named grant that says the same as g; NULL: none.
struct grant *grant_set_same(const struct grant_set *s, const struct grant *g);
// Grants in order of id, from the first whose id is behind `after` (NULL: from the start).
size_t grant_set_after(const struct grant_set *s, const unsigned char *after);

// What a call asks.
struct grant_query {
    const char *principal;
    uint32_t operations;           // GRANT_BIT()s that the grant must have, all of them
    const struct str_map *context; // NULL: the operation is not matched against one. CreateGrant: the child's
    const char *source_arn;        // NULL: none
};

// Calls visit(arg, grant) for grants that may fit until it returns true; then that grant is returned.
const struct grant *grant_set_search(const struct grant_set *s, const struct grant_query *query,
                                     bool (*visit)(void *arg, const struct grant *g), void *arg);
