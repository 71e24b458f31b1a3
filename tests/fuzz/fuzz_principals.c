// principals.json in any shape is refused with a reason or gives whole principals. Input: the file.
#include <stdlib.h>
#include <string.h>

#include "common/auth/principals_file.h"
#include "common/base/json_read.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_read_setup();
    return 0;
}

static void check(const struct principal_owned *o)
{
    const struct principal *p = &o->p;
    must(strlen(p->account) == 12 && p->arn && p->principal_id && p->access_key_id && o->secret.n > 0 && o->verify);
    must((p->type == PRINCIPAL_ROLE_SESSION) == (o->token != NULL));
    must((p->type == PRINCIPAL_ROLE_SESSION) == (p->role_arn != NULL));
    must(p->full_rights == (p->type == PRINCIPAL_ROOT));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct principal_list list = {0};
    char why[300] = "";
    bool ok = principals_parse((struct span){(const char *)bytes, n}, "file", 1, &list, why, sizeof why);
    must(ok || *why);
    for (size_t i = 0; ok && i < list.n; i++)
        check(list.v[i]);
    principal_list_done(&list);
    return 0;
}
