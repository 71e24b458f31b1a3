// The linked library's optional parts, from the tables of key specs and signing algorithms.
#include "kmsd/version.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "kmsd/crypto_sign.h"
#include "kmsd/key_spec.h"
#include "kmsd/key_type.h"

struct list {
    const char *intro;
    bool with; // what there is, or what there is not
    bool begun;
};

static void name(struct list *l, const char *text, bool there)
{
    if (there != l->with)
        return;
    printf("%s %s", l->begun ? "," : l->intro, text);
    l->begun = true;
}

static bool every_type(const struct sign_algorithm *a)
{
    for (int type = 0; type < MESSAGE_TYPES; type++)
        if (a->types >> type & 1 && !sign_available(a, (enum message_type)type))
            return false;
    return true;
}

static void print(struct list l)
{
    for (const struct key_spec *s = key_specs; s->name; s++)
        if (s->type->available)
            name(&l, s->name, s->type->available(s));
    for (const struct sign_algorithm *a = sign_algorithms; a->name; a++)
        if (a->scheme)
            name(&l, a->name, every_type(a));
    if (l.begun)
        printf("\n");
}

void version_print(void)
{
    printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
    print((struct list){.intro = "  with", .with = true});
    print((struct list){.intro = "  without"});
}
