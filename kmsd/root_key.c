// The root key file and what is sealed under it. Called by the keyring (key material), grant_token.c and marker.c
// (their keys). Whether a key file may be made at all, since there is no state yet, is for the caller to say.
#include "kmsd/root_key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/encode.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "kmsd/crypto_sym.h"

#define FILE_SIZE (2 * SYM_KEY_SIZE + 1) // hexadecimal and a newline

static struct root_key *derive(const unsigned char root[SYM_KEY_SIZE])
{
    struct root_key *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    struct span none = {"", 0};
    sym_derive(root, "kmsd root key id", none, k->id);
    sym_derive(root, "kmsd key material", none, k->seal);
    sym_derive(root, "kmsd grant tokens", none, k->token);
    sym_derive(root, "kmsd grant token key id", none, k->token_id);
    sym_derive(root, "kmsd markers", none, k->marker);
    sym_derive(root, "kmsd import tokens", none, k->import_token);
    return k;
}

static bool create_file(const char *path, char *why, size_t why_size)
{
    unsigned char root[SYM_KEY_SIZE];
    char text[FILE_SIZE + 1];
    bool created;
    rng_secret(root, sizeof root);
    hex_encode(root, sizeof root, text);
    text[FILE_SIZE - 1] = '\n';
    bool ok = file_create_once(path, (struct span){text, FILE_SIZE}, 0600, &created);
    if (!ok)
        snprintf(why, why_size, "root key file %s cannot be made: %s", path, strerror(errno));
    OPENSSL_cleanse(root, sizeof root);
    OPENSSL_cleanse(text, sizeof text);
    return ok;
}

static bool permissions_ok(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) != 0 || (st.st_mode & 077) == 0)
        return true; // an unreadable file is told by the read
    snprintf(why, why_size, "root key file %s may be read by others (mode %03o); it must be 0600", path,
             (unsigned)(st.st_mode & 0777));
    return false;
}

static struct root_key *read_file(const char *path, char *why, size_t why_size)
{
    struct buf text;
    unsigned char root[SYM_KEY_SIZE];
    struct root_key *k = NULL;
    buf_init(&text, 4096);
    if (!file_read(path, &text)) {
        snprintf(why, why_size, "root key file %s cannot be read: %s", path, strerror(errno));
    } else {
        struct span s = buf_span(&text);
        if (s.n == FILE_SIZE && s.p[s.n - 1] == '\n')
            s.n--;
        if (hex_decode(s, root, sizeof root))
            k = derive(root);
        else
            snprintf(why, why_size, "root key file %s does not hold a root key (64 hexadecimal digits)", path);
    }
    OPENSSL_cleanse(root, sizeof root);
    buf_wipe(&text);
    return k;
}

struct root_key *root_key_open(const char *path, bool create, char *why, size_t why_size)
{
    if (!path) {
        unsigned char root[SYM_KEY_SIZE];
        rng_secret(root, sizeof root);
        struct root_key *k = derive(root);
        OPENSSL_cleanse(root, sizeof root);
        return k;
    }
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOENT) {
        if (!create) {
            snprintf(why, why_size, "root key file %s is missing, and the keys of this state are sealed under it",
                     path);
            return NULL;
        }
        if (!create_file(path, why, why_size))
            return NULL;
    }
    return permissions_ok(path, why, why_size) ? read_file(path, why, why_size) : NULL;
}

void root_key_free(struct root_key *k)
{
    if (!k)
        return;
    OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

void root_key_seal(const struct root_key *k, struct span name, struct span bytes, struct buf *out)
{
    unsigned char *at = (unsigned char *)buf_reserve(out, bytes.n + ROOT_KEY_OVERHEAD);
    if (!at)
        return; // the buffer says so
    struct span aad[2] = {name, {NULL, 0}};
    rng_secret(at, SYM_IV_SIZE);
    sym_seal(k->seal, at, aad, (struct span){NULL, 0}, bytes, at + SYM_IV_SIZE);
    buf_commit(out, bytes.n + ROOT_KEY_OVERHEAD);
}

bool root_key_unseal(const struct root_key *k, struct span name, struct span sealed, unsigned char *plain)
{
    if (sealed.n < ROOT_KEY_OVERHEAD)
        return false;
    struct span aad[2] = {name, {NULL, 0}};
    struct span body = {sealed.p + SYM_IV_SIZE, sealed.n - SYM_IV_SIZE};
    return sym_open(k->seal, (const unsigned char *)sealed.p, aad, body, plain);
}
