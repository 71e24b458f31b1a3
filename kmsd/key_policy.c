// Interned key policies. Only changed while the keyring is held for changing, so without a lock of its own.
#include "kmsd/key_policy.h"

#include <stdlib.h>
#include <string.h>

#include "kmsd/hash.h"

struct entry {
    struct key_policy policy; // first: what callers hold
    char *text;
    size_t users;
    UT_hash_handle hh;
};

struct policy_pool {
    struct entry *by_text;
};

struct policy_pool *policy_pool_new(void)
{
    struct policy_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        abort();
    return pool;
}

void policy_pool_free(struct policy_pool *pool)
{
    free(pool);
}

const struct key_policy *policy_pool_get(struct policy_pool *pool, struct span text, char *why, size_t why_size)
{
    struct entry *e;
    HASH_FIND(hh, pool->by_text, text.p, text.n, e);
    if (!e) {
        struct policy *parsed = policy_parse(text, POLICY_RESOURCE, why, why_size);
        if (!parsed)
            return NULL;
        e = calloc(1, sizeof *e);
        if (!e || !(e->text = strndup(text.p, text.n)))
            abort();
        e->policy = (struct key_policy){{e->text, text.n}, parsed};
        HASH_ADD_KEYPTR(hh, pool->by_text, e->text, text.n, e);
    }
    e->users++;
    return &e->policy;
}

void policy_pool_put(struct policy_pool *pool, const struct key_policy *policy)
{
    struct entry *e = (struct entry *)(void *)(uintptr_t)policy;
    if (!e || --e->users > 0)
        return;
    HASH_DEL(pool->by_text, e);
    policy_free((struct policy *)(uintptr_t)e->policy.parsed);
    free(e->text);
    free(e);
}

void key_policy_default(const char *partition, const char *account, struct buf *text)
{
    buf_appendf(text,
                "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n"
                "    \"Sid\" : \"Enable IAM User Permissions\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n"
                "      \"AWS\" : \"arn:%s:iam::%s:root\"\n    },\n    \"Action\" : \"kms:*\",\n"
                "    \"Resource\" : \"*\"\n  } ]\n}",
                partition, account);
}
