// A seed file in any shape is refused with a reason or gives whole keys, which can be made and cleared away. Input: 'j'
// or 'y' for JSON or YAML, and the file.
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"
#include "kmsd/kmsd.h"
#include "kmsd/seed.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct kmsd kmsd;
static struct daemon d = {.ext = &kmsd, .account = "111122223333"};

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char why[256];
    json_read_setup();
    d.rng = rng_new("seed");
    struct keyring_options o = {.store = store_open(NULL, keyring_tables, STORE_SYNC_NORMAL, why, sizeof why),
                                .rng = d.rng};
    kmsd.keyring = keyring_open(&o, why, sizeof why);
    must(kmsd.keyring != NULL);
    return 0;
}

// Making key pairs would take the time that the reader is to have.
static bool is_complete(const struct seed *seed)
{
    for (size_t i = 0; i < seed->keys_n; i++)
        if (seed->keys[i].materials_n == 0 && !seed->keys[i].spec->symmetric)
            return false;
    return true;
}

static void check(const struct seed_key *key)
{
    must(strlen(key->account) == 12 && key->region && key->id && key->arn && key->spec && key->policy);
    struct key *made = keyring_key(kmsd.keyring, span_of(key->arn));
    must(made && made->grants.by_id.n == key->grants_n && made->tags_n == key->tags_n);
    made->as_seeded = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char why[512] = "";
    if (n == 0)
        return 0;
    const char *name = bytes[0] == 'j' ? "seed.json" : "seed.yaml";
    struct seed *seed =
        seed_parse(&d, name, (struct span){(const char *)bytes + 1, n - 1}, "us-east-1", why, sizeof why);
    must(seed || strncmp(why, name, strlen(name)) == 0);
    if (seed && is_complete(seed)) {
        must(seed_apply(seed, kmsd.keyring, d.rng, 1, true, why, sizeof why));
        must(keyring_count(kmsd.keyring).keys == seed->keys_n &&
             keyring_count(kmsd.keyring).aliases == seed->aliases_n);
        for (size_t i = 0; i < seed->keys_n; i++)
            check(&seed->keys[i]);
        keyring_clear(kmsd.keyring);
        must(keyring_count(kmsd.keyring).keys == 0 && keyring_count(kmsd.keyring).grants == 0);
    }
    seed_free(seed);
    return 0;
}
