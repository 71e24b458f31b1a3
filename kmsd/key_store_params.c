// The parameters of CreateCustomKeyStore and UpdateCustomKeyStore as rows, and how the trail shows them. Source of
// bounds and patterns: the API's model.
#include "kmsd/op_create_key_store.h"

#include <ctype.h>
#include <string.h>

#include "common/base/ids.h"
#include "common/base/json_read.h"

// ---- patterns ----

static bool all(struct span text, const char *others, bool (*ok)(int c))
{
    for (size_t i = 0; i < text.n; i++)
        if (!text.p[i] || (!ok((unsigned char)text.p[i]) && !strchr(others, text.p[i])))
            return false;
    return text.n > 0;
}

static bool letter_digit(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool lower_digit(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool base32(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
}

static struct span behind(struct span text, size_t n)
{
    return (struct span){text.p + n, text.n - n};
}

// [2-7a-zA-Z]{11,16}
static bool cluster_id_matches(struct span text)
{
    if (!span_starts(text, "cluster-"))
        return false;
    struct span id = behind(text, 8);
    return id.n >= 11 && id.n <= 16 && all(id, "", letter_digit) && !memchr(id.p, '0', id.n) &&
           !memchr(id.p, '1', id.n) && !memchr(id.p, '8', id.n) && !memchr(id.p, '9', id.n);
}

static bool endpoint_matches(struct span text)
{
    return span_starts(text, "https://") && all(behind(text, 8), ".-", letter_digit);
}

// An optional prefix, then /kms/xks/v and one or two digits.
static bool path_matches(struct span text)
{
    size_t digits = 0;
    while (digits < 2 && digits < text.n && isdigit((unsigned char)text.p[text.n - 1 - digits]))
        digits++;
    struct span rest = {text.p, text.n - digits};
    if (digits == 0 || !span_ends(rest, "/kms/xks/v"))
        return false;
    rest.n -= 10;
    return rest.n == 0 || (rest.n > 1 && rest.p[0] == '/' && all(behind(rest, 1), "/_-", letter_digit));
}

// com.amazonaws.vpce.<Region>.vpce-svc-<id>
static bool vpc_service_matches(struct span text)
{
    if (!span_starts(text, "com.amazonaws.vpce.") && !span_starts(text, "eu.amazonaws.vpce."))
        return false;
    struct span rest = behind(text, span_starts(text, "com") ? 19 : 18);
    const char *dot = memchr(rest.p, '.', rest.n);
    struct span region = {rest.p, dot ? (size_t)(dot - rest.p) : 0};
    return dot && all(region, "-", lower_digit) && span_starts(behind(rest, region.n), ".vpce-svc-") &&
           all(behind(rest, region.n + 10), "", lower_digit);
}

static bool access_key_id_matches(struct span text)
{
    return all(text, "", base32);
}

static bool secret_matches(struct span text)
{
    return all(text, "/+=", letter_digit);
}

// ---- rows ----

static const char *const connectivities[] = {"VPC_ENDPOINT_SERVICE", "PUBLIC_ENDPOINT", NULL};

#define CREDENTIAL_AT(member_) PARAM_AT(xks_credential_param, member_)

static const struct param credential_rows[] = {
    {.name = "AccessKeyId",
     .type = PARAM_STRING,
     .offset = CREDENTIAL_AT(access_key_id),
     .required = true,
     .sensitive = true,
     .trail = PARAM_HIDDEN,
     .min = 20,
     .max = 30,
     .pattern = "^[A-Z2-7]+$",
     .matches = access_key_id_matches},
    {.name = "RawSecretAccessKey",
     .type = PARAM_STRING,
     .offset = CREDENTIAL_AT(secret),
     .required = true,
     .sensitive = true,
     .trail = PARAM_HIDDEN,
     .min = 43,
     .max = 64,
     .pattern = "^[a-zA-Z0-9\\/+=]+$",
     .matches = secret_matches},
    {NULL},
};

// Of struct params_, in the order of the model.
#define ROW_NAME(params_, name_, required_)                                                                            \
    {                                                                                                                  \
        .name = (name_), .type = PARAM_STRING, .offset = PARAM_AT(params_, terms.name), .required = (required_),       \
        .min = 1, .max = 256                                                                                           \
    }
#define ROW_CLUSTER(params_)                                                                                           \
    {                                                                                                                  \
        .name = "CloudHsmClusterId", .type = PARAM_STRING, .offset = PARAM_AT(params_, terms.cluster_id), .min = 19,   \
        .max = 24, .pattern = "cluster-[2-7a-zA-Z]{11,16}", .matches = cluster_id_matches                              \
    }
#define ROW_PASSWORD(params_)                                                                                          \
    {                                                                                                                  \
        .name = "KeyStorePassword", .type = PARAM_STRING, .offset = PARAM_AT(params_, terms.password),                 \
        .sensitive = true, .trail = PARAM_HIDDEN, .min = 7, .max = 32                                                  \
    }
#define ROWS_PROXY(params_)                                                                                            \
    {.name = "XksProxyUriEndpoint",                                                                                    \
     .type = PARAM_STRING,                                                                                             \
     .offset = PARAM_AT(params_, terms.endpoint),                                                                      \
     .min = 10,                                                                                                        \
     .max = 128,                                                                                                       \
     .pattern = "^https://[a-zA-Z0-9.-]+$",                                                                            \
     .matches = endpoint_matches},                                                                                     \
        {.name = "XksProxyUriPath",                                                                                    \
         .type = PARAM_STRING,                                                                                         \
         .offset = PARAM_AT(params_, terms.path),                                                                      \
         .min = 10,                                                                                                    \
         .max = 128,                                                                                                   \
         .pattern = "^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$",                                 \
         .matches = path_matches},                                                                                     \
        {.name = "XksProxyVpcEndpointServiceName",                                                                     \
         .type = PARAM_STRING,                                                                                         \
         .offset = PARAM_AT(params_, terms.vpc_service),                                                               \
         .min = 20,                                                                                                    \
         .max = 64,                                                                                                    \
         .pattern = "^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$",                         \
         .matches = vpc_service_matches},                                                                              \
        {.name = "XksProxyVpcEndpointServiceOwner",                                                                    \
         .type = PARAM_STRING,                                                                                         \
         .offset = PARAM_AT(params_, terms.vpc_owner),                                                                 \
         .min = 12,                                                                                                    \
         .max = 12,                                                                                                    \
         .pattern = "\\d{12}",                                                                                         \
         .matches = id_is_account},                                                                                    \
        {.name = "XksProxyAuthenticationCredential",                                                                   \
         .type = PARAM_OBJECT,                                                                                         \
         .offset = PARAM_AT(params_, terms.credential),                                                                \
         .trail = PARAM_HIDDEN,                                                                                        \
         .members = credential_rows,                                                                                   \
         .members_size = sizeof(struct xks_credential_param),                                                          \
         .set_offset = PARAM_AT(params_, terms.credential_set)},                                                       \
    {                                                                                                                  \
        .name = "XksProxyConnectivity", .type = PARAM_STRING, .offset = PARAM_AT(params_, terms.connectivity),         \
        .choices = connectivities                                                                                      \
    }

const struct param create_key_store_rows[] = {
    ROW_NAME(create_key_store_params, "CustomKeyStoreName", true),
    ROW_CLUSTER(create_key_store_params),
    {.name = "TrustAnchorCertificate",
     .type = PARAM_STRING,
     .offset = PARAM_AT(create_key_store_params, terms.trust_anchor),
     .min = 1,
     .max = 5000},
    ROW_PASSWORD(create_key_store_params),
    {.name = "CustomKeyStoreType",
     .type = PARAM_STRING,
     .offset = PARAM_AT(create_key_store_params, terms.type),
     .choices = key_store_type_names},
    ROWS_PROXY(create_key_store_params),
    {NULL},
};

const struct param update_key_store_rows[] = {
    {.name = "CustomKeyStoreId",
     .type = PARAM_STRING,
     .offset = PARAM_AT(update_key_store_params, id),
     .required = true,
     .min = 1,
     .max = 64},
    ROW_NAME(update_key_store_params, "NewCustomKeyStoreName", false),
    ROW_PASSWORD(update_key_store_params),
    ROW_CLUSTER(update_key_store_params),
    ROWS_PROXY(update_key_store_params),
    {NULL},
};

// ---- trail ----

// The trail has its own name for the cluster, and neither secrets nor the certificate.
void key_store_params_trail(struct json_write *w, struct call *call)
{
    static const struct {
        const char *member, *shown;
    } members[] = {
        {"CustomKeyStoreId", "customKeyStoreId"},
        {"CustomKeyStoreName", "customKeyStoreName"},
        {"NewCustomKeyStoreName", "newCustomKeyStoreName"},
        {"CustomKeyStoreType", "customKeyStoreType"},
        {"CloudHsmClusterId", "clusterId"},
        {"XksProxyConnectivity", "xksProxyConnectivity"},
        {"XksProxyUriEndpoint", "xksProxyUriEndpoint"},
        {"XksProxyUriPath", "xksProxyUriPath"},
        {"XksProxyVpcEndpointServiceName", "xksProxyVpcEndpointServiceName"},
        {"XksProxyVpcEndpointServiceOwner", "xksProxyVpcEndpointServiceOwner"},
    };
    json_obj_begin(w);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const json_t *value = json_object_get(call->json, members[i].member);
        if (json_is_string(value))
            json_kstr(w, members[i].shown, json_span(value));
    }
    json_obj_end(w);
}
