// Bytes that are wiped when released: keys, plaintexts, tokens. Used wherever such bytes rest between two steps; what
// is done with them is the caller's.
#include "common/base/secret.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

bool secret_init(struct secret *s, size_t n)
{
    *s = (struct secret){.p = calloc(n ? n : 1, 1)};
    if (!s->p)
        return false;
    s->n = n;
    return true;
}

bool secret_copy(struct secret *s, const void *bytes, size_t n)
{
    if (!secret_init(s, n))
        return false;
    if (n)
        memcpy(s->p, bytes, n);
    return true;
}

void secret_done(struct secret *s)
{
    if (s->p)
        OPENSSL_cleanse(s->p, s->n);
    free(s->p);
    *s = (struct secret){0};
}

void secret_take(struct secret *to, struct secret *from)
{
    *to = *from;
    *from = (struct secret){0};
}

struct span secret_span(const struct secret *s)
{
    return (struct span){(const char *)s->p, s->n};
}

bool secret_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
