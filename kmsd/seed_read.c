// A seed file from its bytes to what is to be made. Called at start (main.c).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/file.h"
#include "common/rpc/daemon.h"
#include "kmsd/kmsd.h"
#include "kmsd/seed_internal.h"

#define FILE_MAX_BYTES (64u * 1024 * 1024)

static bool is_json(const char *file, struct span text)
{
    struct span name = span_of(file);
    if (span_ends(name, ".json") || span_ends(name, ".yaml") || span_ends(name, ".yml"))
        return span_ends(name, ".json");
    for (size_t i = 0; i < text.n; i++)
        if (!strchr(" \t\r\n", text.p[i]) || text.p[i] == '\0')
            return text.p[i] == '{';
    return false;
}

static bool read_tree(struct seed_reader *r, const struct doc *root)
{
    if (root->kind != DOC_MAP)
        return seed_bad(r, root->line, "", "a seed is a map with the member Keys");
    return seed_is_local_kms(root) ? seed_read_local_kms(r, root) : seed_read_own(r, root);
}

struct seed *seed_parse(struct daemon *d, const char *file, struct span text, const char *region, char *why,
                        size_t why_size)
{
    struct kmsd *kmsd = d->ext;
    char reason[512];
    int line;
    struct seed *seed = calloc(1, sizeof *seed);
    if (!seed)
        abort();
    arena_init(&seed->arena);
    seed->policies = keyring_policies(kmsd->keyring);
    struct seed_reader r = {.file = file, .account = d->account, .region = region, .seed = seed};
    r.call.daemon = d;
    r.why = why;
    r.why_size = why_size;
    arena_init(&r.call.arena);
    r.values = json_array();
    r.lines = json_object();
    struct doc_tree *tree = doc_read(text, is_json(file, text), &line, reason, sizeof reason);
    bool ok = tree ? read_tree(&r, doc_root(tree)) : seed_bad(&r, line, "", "%s", reason);
    doc_free(tree);
    json_decref(r.values);
    json_decref(r.lines);
    arena_done(&r.call.arena);
    if (ok)
        return seed;
    seed_free(seed);
    return NULL;
}

struct seed *seed_read(struct daemon *d, const char *file, const char *region, char *why, size_t why_size)
{
    struct buf text;
    struct seed *seed = NULL;
    buf_init(&text, FILE_MAX_BYTES);
    if (file_read(file, &text))
        seed = seed_parse(d, file, buf_span(&text), region, why, why_size);
    else
        snprintf(why, why_size, "--seed-file: %s: %s", file, strerror(errno));
    buf_wipe(&text);
    return seed;
}

static void key_done(struct seed *seed, struct seed_key *key)
{
    for (size_t i = 0; i < key->materials_n; i++)
        secret_done(&key->materials[i].bytes);
    policy_pool_put(seed->policies, key->policy);
}

void seed_free(struct seed *seed)
{
    if (!seed)
        return;
    for (size_t i = 0; i < seed->keys_n; i++)
        key_done(seed, &seed->keys[i]);
    free(seed->keys);
    free(seed->aliases);
    arena_done(&seed->arena);
    free(seed);
}
