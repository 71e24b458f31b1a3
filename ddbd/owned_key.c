// Reads or creates ddbd's own key at start (main.c). The store keeps a fingerprint of it, so that a lost or exchanged
// file is a refusal to start and not a pile of unreadable tables.
#include "ddbd/owned_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/digest.h"
#include "common/base/encode.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "ddbd/key_wrap.h"

#define HEX_SIZE (2 * KEY_SIZE)
#define FINGERPRINT_KEY SPAN("owned-key-fingerprint")

struct known {
    bool found;
    char hex[2 * SHA256_SIZE + 1];
};

static bool remember(void *arg, struct span key, struct span value)
{
    struct known *k = arg;
    if (!span_eq(key, FINGERPRINT_KEY) || value.n != 2 * SHA256_SIZE)
        return true;
    memcpy(k->hex, value.p, value.n);
    k->found = true;
    return false;
}

static void fingerprint(const struct secret *key, char hex[2 * SHA256_SIZE + 1])
{
    unsigned char mac[SHA256_SIZE];
    hmac_sha256(secret_span(key), SPAN("ddbd owned key fingerprint"), mac);
    hex_encode(mac, sizeof mac, hex);
}

static bool create_file(const char *path, bool *created)
{
    struct secret fresh = {0}, text = {0};
    bool ok = secret_init(&fresh, KEY_SIZE) && secret_init(&text, HEX_SIZE + 1);
    if (ok) {
        rng_secret(fresh.p, KEY_SIZE);
        hex_encode(fresh.p, KEY_SIZE, (char *)text.p);
        text.p[HEX_SIZE] = '\n';
        ok = file_create_once(path, secret_span(&text), 0600, created);
    }
    secret_done(&fresh);
    secret_done(&text);
    return ok;
}

static bool read_file(const char *path, struct secret *key)
{
    struct buf b;
    buf_init(&b, HEX_SIZE + 2);
    bool ok = file_read(path, &b) && secret_init(key, KEY_SIZE);
    if (ok) {
        struct span text = buf_span(&b);
        while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
            text.n--;
        ok = text.n == HEX_SIZE && hex_decode(text, key->p, KEY_SIZE);
        if (!ok)
            secret_done(key);
        errno = EINVAL;
    }
    buf_wipe(&b);
    return ok;
}

static bool load(struct secret *key, const char *path, bool must_exist, char *why, size_t why_size)
{
    bool created = false;
    struct stat st;
    if (must_exist && stat(path, &st) != 0) {
        snprintf(why, why_size, "%s: the key above the tables of this state folder is missing: %s", path,
                 strerror(errno));
        return false;
    }
    if (!must_exist && !create_file(path, &created)) {
        snprintf(why, why_size, "%s: cannot be created: %s", path, strerror(errno));
        return false;
    }
    if (!read_file(path, key)) {
        snprintf(why, why_size, "%s: is not a key file (64 hexadecimal digits)", path);
        return false;
    }
    return true;
}

bool owned_key_open(struct secret *key, const char *state_dir, struct store *store, char *why, size_t why_size)
{
    if (!state_dir) {
        if (!secret_init(key, KEY_SIZE)) {
            snprintf(why, why_size, "out of memory");
            return false;
        }
        rng_secret(key->p, KEY_SIZE);
        return true;
    }
    struct known known = {0};
    if (!store_scan(store, OWNED_KEY_TABLE, remember, &known, why, why_size))
        return false;
    char path[4096], hex[2 * SHA256_SIZE + 1];
    snprintf(path, sizeof path, "%s/owned-key", state_dir);
    if (!load(key, path, known.found, why, why_size))
        return false;
    fingerprint(key, hex);
    if (known.found && memcmp(hex, known.hex, sizeof hex) != 0) {
        secret_done(key);
        snprintf(why, why_size, "%s: is not the key that this state folder's tables were made under", path);
        return false;
    }
    if (known.found)
        return true;
    store_put(store, OWNED_KEY_TABLE, FINGERPRINT_KEY, span_of(hex));
    return store_commit(store, why, why_size);
}
