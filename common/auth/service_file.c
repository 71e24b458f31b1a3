// {"accessKeyId": "…", "secretAccessKey": "…", "service": "dynamodb"}: made by whichever daemon starts first.
#include "common/auth/service_file.h"

#include <errno.h>
#include <libgen.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/encode.h"
#include "common/base/file.h"
#include "common/base/json_read.h"
#include "common/base/rng.h"

#define SERVICE "dynamodb"
#define FILE_MAX_BYTES 4096

static bool fail(const char *path, const char *what, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: %s", path, what);
    return false;
}

static bool make_folder(const char *path)
{
    char *copy = strdup(path);
    bool ok = copy && file_mkdirs(dirname(copy));
    free(copy);
    return ok;
}

static bool make_file(const char *path, char *why, size_t why_size)
{
    unsigned char id[8], bytes[30];
    char id_text[17];
    rng_secret(id, sizeof id);
    rng_secret(bytes, sizeof bytes);
    hex_encode(id, sizeof id, id_text);
    struct buf b;
    buf_init(&b, FILE_MAX_BYTES);
    // Not twelve digits and not AKIA…, so that it is never taken for a user's.
    buf_appendf(&b, "{\"accessKeyId\": \"SVC%s\", \"secretAccessKey\": \"", id_text);
    base64_encode(&b, bytes, sizeof bytes);
    buf_append_str(&b, "\", \"service\": \"" SERVICE "\"}\n");
    bool created;
    bool ok = make_folder(path) && file_create_once(path, buf_span(&b), 0600, &created);
    int error = errno;
    buf_wipe(&b);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok || fail(path, strerror(error), why, why_size);
}

static bool check_mode(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fail(path, strerror(errno), why, why_size);
    if (st.st_mode & 077)
        return fail(path, "others may read this secret; make its mode 0600", why, why_size);
    return true;
}

struct principal_owned *service_file_read(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) != 0 && !make_file(path, why, why_size))
        return NULL;
    if (!check_mode(path, why, why_size))
        return NULL;
    json_t *file = json_read_file(path, FILE_MAX_BYTES, why, why_size);
    if (!file)
        return NULL;
    const char *id = json_string_value(json_object_get(file, "accessKeyId"));
    const char *secret = json_string_value(json_object_get(file, "secretAccessKey"));
    const char *service = json_string_value(json_object_get(file, "service"));
    struct principal_owned *o = NULL;
    if (!id || !*id || !secret || !*secret || !service || !*service) {
        fail(path, "must have accessKeyId, secretAccessKey and service", why, why_size);
    } else {
        o = principal_new(PRINCIPAL_SERVICE, "");
        o->p.access_key_id = arena_strdup(&o->texts, id);
        o->p.service = arena_strdup(&o->texts, service);
        o->p.arn = arena_printf(&o->texts, "%s.amazonaws.com", service);
        o->p.principal_id = o->p.arn;
        if (!secret_copy(&o->secret, secret, strlen(secret)))
            abort();
    }
    json_decref(file);
    return o;
}
