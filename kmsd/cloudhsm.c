// The simulated clusters, for op_create_key_store.c, op_key_store.c, op_create_key.c and connect_job.c. Key material in
// them is the keyring's (keyring_key_store.c).
#include "kmsd/cloudhsm.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json_read.h"

#define FILE_MAX (1024 * 1024)

struct cloudhsm {
    json_t *clusters; // an array; NULL: there is no file
};

static X509 *certificate_of(struct span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return x;
}

bool cloudhsm_same_certificate(struct span a, struct span b)
{
    X509 *x = certificate_of(a), *y = certificate_of(b);
    bool same = x && y && X509_cmp(x, y) == 0;
    X509_free(x);
    X509_free(y);
    return same;
}

// ---- the file ----

static enum connection_error error_of(struct span name)
{
    for (int i = CONNECTION_OK + 1; i < CONNECTION_PROXY_ACCESS_DENIED; i++)
        if (span_is(name, connection_error_names[i]))
            return (enum connection_error)i;
    return CONNECTION_OK;
}

static bool text_or_absent(const json_t *value)
{
    return !value || json_is_string(value);
}

// The member that is wrong; NULL: none.
static const char *wrong_member(const json_t *cluster)
{
    struct span certificate = json_span(json_object_get(cluster, "trustAnchorCertificate"));
    const json_t *active = json_object_get(cluster, "active"), *hsms = json_object_get(cluster, "hsms");
    const json_t *error = json_object_get(cluster, "connectionError");
    if (!json_is_string(json_object_get(cluster, "clusterId")))
        return "clusterId";
    if (!text_or_absent(json_object_get(cluster, "kmsuserPassword")))
        return "kmsuserPassword";
    if (active && !json_is_boolean(active))
        return "active";
    if (hsms && !json_is_integer(hsms))
        return "hsms";
    if (error && error_of(json_span(error)) == CONNECTION_OK)
        return "connectionError";
    if (json_object_get(cluster, "trustAnchorCertificate") && !cloudhsm_same_certificate(certificate, certificate))
        return "trustAnchorCertificate";
    return NULL;
}

static bool check_file(const char *path, const json_t *clusters, char *why, size_t why_size)
{
    size_t i;
    json_t *cluster;
    if (!json_is_array(clusters)) {
        snprintf(why, why_size, "%s: clusters must be a list", path);
        return false;
    }
    json_array_foreach(clusters, i, cluster)
    {
        const char *member = wrong_member(cluster);
        if (member) {
            snprintf(why, why_size, "%s: clusters[%zu]: %s is missing or wrong", path, i, member);
            return false;
        }
    }
    return true;
}

struct cloudhsm *cloudhsm_open(const char *path, char *why, size_t why_size)
{
    struct cloudhsm *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    if (!path)
        return c;
    json_t *file = json_read_file(path, FILE_MAX, why, why_size);
    c->clusters = json_incref(json_object_get(file, "clusters"));
    bool ok = file && check_file(path, c->clusters, why, why_size);
    json_decref(file);
    if (ok)
        return c;
    cloudhsm_free(c);
    return NULL;
}

void cloudhsm_free(struct cloudhsm *c)
{
    if (!c)
        return;
    json_decref(c->clusters);
    free(c);
}

// ---- questions ----

static const json_t *find(const struct cloudhsm *c, struct span id)
{
    size_t i;
    json_t *cluster;
    json_array_foreach(c->clusters, i, cluster)
    {
        if (span_eq(json_span(json_object_get(cluster, "clusterId")), id))
            return cluster;
    }
    return NULL;
}

static long long hsms_of(const json_t *cluster)
{
    const json_t *hsms = json_object_get(cluster, "hsms");
    return hsms ? json_integer_value(hsms) : 2;
}

enum cluster_trouble cloudhsm_check(const struct cloudhsm *c, struct span cluster_id, struct span trust_anchor,
                                    int hsms)
{
    const json_t *cluster = find(c, cluster_id);
    const json_t *certificate = json_object_get(cluster, "trustAnchorCertificate");
    if (c->clusters && !cluster)
        return CLUSTER_NOT_FOUND;
    if (json_is_false(json_object_get(cluster, "active")))
        return CLUSTER_NOT_ACTIVE;
    if (!cloudhsm_same_certificate(trust_anchor, certificate ? json_span(certificate) : trust_anchor))
        return CLUSTER_OTHER_CERTIFICATE;
    return hsms_of(cluster) < hsms ? CLUSTER_TOO_FEW_HSMS : CLUSTER_FINE;
}

enum connection_error cloudhsm_connect(const struct cloudhsm *c, const struct key_store *s)
{
    const json_t *cluster = find(c, span_of(s->cluster_id));
    const json_t *password = json_object_get(cluster, "kmsuserPassword");
    const json_t *error = json_object_get(cluster, "connectionError");
    if (c->clusters && !cluster)
        return CONNECTION_CLUSTER_NOT_FOUND;
    if (error)
        return error_of(json_span(error));
    if (hsms_of(cluster) < 1)
        return CONNECTION_INSUFFICIENT_HSMS;
    if (password && !secret_eq(json_span(password), secret_span(&s->password)))
        return CONNECTION_INVALID_CREDENTIALS;
    return CONNECTION_OK;
}
