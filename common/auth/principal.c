// Principals are counted: the credentials table holds one reference, every call under way another.
#include "common/auth/principal.h"

#include <stdlib.h>
#include <string.h>

#include "common/auth/principal_internal.h"

struct principal_owned *principal_new(enum principal_type type, const char *account)
{
    struct principal_owned *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    o->p.type = type;
    memcpy(o->p.account, account, strlen(account) < 13 ? strlen(account) : 12);
    atomic_init(&o->references, 1);
    arena_init(&o->texts);
    o->verify = true;
    static atomic_uint_fast64_t ids;
    o->secret_id = atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed) + 1;
    return o;
}

void principal_add_policy_take(struct principal_owned *o, struct policy *policy)
{
    struct policy **grown = realloc(o->policies, (o->p.policies_n + 1) * sizeof *grown);
    if (!grown)
        abort();
    grown[o->p.policies_n++] = policy;
    o->policies = grown;
    o->p.policies = (const struct policy *const *)grown;
}

const struct principal *principal_ref(const struct principal *p)
{
    atomic_fetch_add_explicit(&((struct principal_owned *)p)->references, 1, memory_order_relaxed);
    return p;
}

void principal_unref(const struct principal *p)
{
    struct principal_owned *o = (struct principal_owned *)p;
    if (!o || atomic_fetch_sub_explicit(&o->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < o->p.policies_n; i++)
        policy_free(o->policies[i]);
    free(o->policies);
    secret_done(&o->secret);
    secret_done(&o->token_text);
    arena_done(&o->texts);
    free(o);
}
