// Fills the state folder of a kmsd that has not started yet with many keys, the last of which has many grants to one
// service principal, each for a table of its own as ddbd makes them. Prints that key's ARN. Used by measure.py: through
// the API it would take minutes.
// Usage: fill_keyring STATE-DIR KEYS GRANTS ACCOUNT REGION
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/json_read.h"
#include "kmsd/key_type.h"
#include "kmsd/keyring.h"

// What is waiting for a commit is in memory twice.
#define CHANGES_A_COMMIT 10000

static char *file_in(const char *dir, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        abort();
    return path;
}

static int fail(const char *why)
{
    fprintf(stderr, "fill_keyring: %s\n", why);
    return 1;
}

static const struct key_policy *default_policy(struct keyring *k, const char *account)
{
    struct buf text;
    char why[256];
    buf_init(&text, 4096);
    key_policy_default("aws", account, &text);
    const struct key_policy *policy = policy_pool_get(keyring_policies(k), buf_span(&text), why, sizeof why);
    buf_done(&text);
    if (!policy)
        abort();
    return policy;
}

static void add_grant(struct keyring *k, struct key *key, const char *account, const char *region, size_t i)
{
    char table[32];
    struct grant *g = grant_new();
    if (asprintf(&g->grantee, "dynamodb.%s.amazonaws.com", region) < 0)
        abort();
    snprintf(table, sizeof table, "table-%zu", i);
    g->retiring = strdup(g->grantee);
    g->grantee_is_service = g->retiring_is_service = true;
    memcpy(g->issuing_account, account, 12);
    g->operations = GRANT_BIT(GRANT_GENERATE_DATA_KEY) | GRANT_BIT(GRANT_DECRYPT);
    g->constraint = GRANT_CONTEXT_SUBSET;
    struct str_pair pairs[2] = {{SPAN("aws:dynamodb:subscriberId"), span_of(account)},
                                {SPAN("aws:dynamodb:tableName"), span_of(table)}};
    g->context = enc_context_copy(&(struct str_map){.v = pairs, .n = 2, .set = true});
    g->created_ns = clock_real_ns();
    keyring_create_grant(k, key, g);
}

static bool fill(struct keyring *k, struct store *store, char **argv, char *why, size_t why_size)
{
    size_t keys = strtoul(argv[2], NULL, 10), grants = strtoul(argv[3], NULL, 10);
    struct key *key = NULL;
    for (size_t i = 0; i < keys; i++) {
        struct key_draft draft = {.account = argv[4],
                                  .region = argv[5],
                                  .spec = &key_specs[0],
                                  .policy = default_policy(k, argv[4]),
                                  .now_ns = clock_real_ns()};
        if (!draft.spec->type->make(draft.spec, &draft.material))
            return false;
        key = keyring_create_key(k, &draft);
        if (i % CHANGES_A_COMMIT == 0 && !store_commit(store, why, why_size))
            return false;
    }
    for (size_t i = 0; key && i < grants; i++) {
        add_grant(k, key, argv[4], argv[5], i);
        if (i % CHANGES_A_COMMIT == 0 && !store_commit(store, why, why_size))
            return false;
    }
    if (key)
        puts(key->arn);
    return store_commit(store, why, why_size);
}

int main(int argc, char **argv)
{
    char why[512] = "";
    if (argc != 6 || strlen(argv[4]) != 12)
        return fail("usage: fill_keyring STATE-DIR KEYS GRANTS ACCOUNT REGION");
    umask(077);
    json_read_setup();
    if (!file_mkdirs(argv[1]))
        return fail("the folder cannot be made");
    char *db = file_in(argv[1], "state.db"), *root = file_in(argv[1], "root-key");
    struct rng *rng = rng_new(NULL);
    struct store *store = store_open(db, keyring_tables, STORE_SYNC_NORMAL, why, sizeof why);
    struct keyring_options o = {.store = store, .root_key_path = root, .rng = rng};
    struct keyring *k = store ? keyring_open(&o, why, sizeof why) : NULL;
    bool ok = k && fill(k, store, argv, why, sizeof why);
    keyring_close(k);
    store_close(store);
    rng_free(rng);
    free(db);
    free(root);
    return ok ? 0 : fail(why);
}
