// Applies key_wrap.c to a table's keys, with the purposes that bind a wrapped key to its table, version and use. Called
// by sse_work.c and table_access.c.
#include "ddbd/sse_keys.h"

#include "common/base/rng.h"

static struct key_purpose purpose_of(const struct table_info *t, const struct table_key *key, const char *what)
{
    return (struct key_purpose){what, t->id, key->version};
}

bool sse_keys_make_owned(const struct table_info *t, struct table_key *key, const struct secret *owned_key,
                         struct secret *table_key)
{
    struct key_purpose purpose = purpose_of(t, key, "table key");
    if (!secret_init(table_key, KEY_SIZE))
        return false;
    rng_secret(table_key->p, table_key->n);
    key->wrapped_n = KEY_WRAPPED_SIZE;
    return key_wrap(secret_span(owned_key), &purpose, secret_span(table_key), key->wrapped);
}

bool sse_keys_open_owned(const struct table_info *t, const struct table_key *key, const struct secret *owned_key,
                         struct secret *table_key)
{
    struct key_purpose purpose = purpose_of(t, key, "table key");
    return key->wrapped_n == KEY_WRAPPED_SIZE && key_unwrap(secret_span(owned_key), &purpose, key->wrapped, table_key);
}

bool sse_keys_wrap_dek(const struct table_info *t, struct table_key *key, struct span table_key, struct span dek)
{
    struct key_purpose purpose = purpose_of(t, key, "data encryption key");
    return key_wrap(table_key, &purpose, dek, key->wrapped_dek);
}

bool sse_keys_open_dek(const struct table_info *t, const struct table_key *key, struct span table_key,
                       struct secret *dek)
{
    struct key_purpose purpose = purpose_of(t, key, "data encryption key");
    return key->wrapped_n > 0 && key_unwrap(table_key, &purpose, key->wrapped_dek, dek);
}
